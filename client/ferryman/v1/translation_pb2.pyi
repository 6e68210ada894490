import datetime

from ferryman.v1 import options_pb2 as _options_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.rpc import status_pb2 as _status_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Fallback(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FALLBACK_UNSPECIFIED: _ClassVar[Fallback]
    FALLBACK_PIECEWISE: _ClassVar[Fallback]
    FALLBACK_SOURCE: _ClassVar[Fallback]

class FinishReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FINISH_REASON_UNSPECIFIED: _ClassVar[FinishReason]
    FINISH_REASON_EOS: _ClassVar[FinishReason]
    FINISH_REASON_MAX_TOKENS: _ClassVar[FinishReason]
    FINISH_REASON_LOOP_GUARD: _ClassVar[FinishReason]

class WarningCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WARNING_CODE_UNSPECIFIED: _ClassVar[WarningCode]
    WARNING_CODE_SOURCE_TRUNCATED: _ClassVar[WarningCode]
    WARNING_CODE_SENTENCE_SPLIT: _ClassVar[WarningCode]
    WARNING_CODE_TARGET_TRUNCATED: _ClassVar[WarningCode]
    WARNING_CODE_UNKNOWN_CHARACTERS: _ClassVar[WarningCode]
    WARNING_CODE_PLACEHOLDER_LOST: _ClassVar[WarningCode]
    WARNING_CODE_TRANSLATED_IN_PIECES: _ClassVar[WarningCode]
    WARNING_CODE_MARKUP_LOST: _ClassVar[WarningCode]
    WARNING_CODE_GLOSSARY_TERM_NOT_APPLIED: _ClassVar[WarningCode]
    WARNING_CODE_REPETITION: _ClassVar[WarningCode]
    WARNING_CODE_UNUSUAL_LENGTH: _ClassVar[WarningCode]
    WARNING_CODE_SOURCE_COPIED: _ClassVar[WarningCode]
    WARNING_CODE_WRONG_SCRIPT: _ClassVar[WarningCode]
    WARNING_CODE_NUMBER_MISSING: _ClassVar[WarningCode]
    WARNING_CODE_LOW_QUALITY: _ClassVar[WarningCode]
    WARNING_CODE_UNEXPECTED_LANGUAGE: _ClassVar[WarningCode]
    WARNING_CODE_ATTENTION_OMITTED: _ClassVar[WarningCode]
FALLBACK_UNSPECIFIED: Fallback
FALLBACK_PIECEWISE: Fallback
FALLBACK_SOURCE: Fallback
FINISH_REASON_UNSPECIFIED: FinishReason
FINISH_REASON_EOS: FinishReason
FINISH_REASON_MAX_TOKENS: FinishReason
FINISH_REASON_LOOP_GUARD: FinishReason
WARNING_CODE_UNSPECIFIED: WarningCode
WARNING_CODE_SOURCE_TRUNCATED: WarningCode
WARNING_CODE_SENTENCE_SPLIT: WarningCode
WARNING_CODE_TARGET_TRUNCATED: WarningCode
WARNING_CODE_UNKNOWN_CHARACTERS: WarningCode
WARNING_CODE_PLACEHOLDER_LOST: WarningCode
WARNING_CODE_TRANSLATED_IN_PIECES: WarningCode
WARNING_CODE_MARKUP_LOST: WarningCode
WARNING_CODE_GLOSSARY_TERM_NOT_APPLIED: WarningCode
WARNING_CODE_REPETITION: WarningCode
WARNING_CODE_UNUSUAL_LENGTH: WarningCode
WARNING_CODE_SOURCE_COPIED: WarningCode
WARNING_CODE_WRONG_SCRIPT: WarningCode
WARNING_CODE_NUMBER_MISSING: WarningCode
WARNING_CODE_LOW_QUALITY: WarningCode
WARNING_CODE_UNEXPECTED_LANGUAGE: WarningCode
WARNING_CODE_ATTENTION_OMITTED: WarningCode

class Translation(_message.Message):
    __slots__ = ("hypotheses", "detected_language_code", "warnings", "error", "route", "source_tokens", "glossary_matches", "fallback", "second_try")
    HYPOTHESES_FIELD_NUMBER: _ClassVar[int]
    DETECTED_LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_TOKENS_FIELD_NUMBER: _ClassVar[int]
    GLOSSARY_MATCHES_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_FIELD_NUMBER: _ClassVar[int]
    SECOND_TRY_FIELD_NUMBER: _ClassVar[int]
    hypotheses: _containers.RepeatedCompositeFieldContainer[Hypothesis]
    detected_language_code: str
    warnings: _containers.RepeatedCompositeFieldContainer[TranslationWarning]
    error: _status_pb2.Status
    route: _containers.RepeatedScalarFieldContainer[str]
    source_tokens: _containers.RepeatedCompositeFieldContainer[Token]
    glossary_matches: _containers.RepeatedCompositeFieldContainer[GlossaryMatch]
    fallback: Fallback
    second_try: bool
    def __init__(self, hypotheses: _Optional[_Iterable[_Union[Hypothesis, _Mapping]]] = ..., detected_language_code: _Optional[str] = ..., warnings: _Optional[_Iterable[_Union[TranslationWarning, _Mapping]]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ..., route: _Optional[_Iterable[str]] = ..., source_tokens: _Optional[_Iterable[_Union[Token, _Mapping]]] = ..., glossary_matches: _Optional[_Iterable[_Union[GlossaryMatch, _Mapping]]] = ..., fallback: _Optional[_Union[Fallback, str]] = ..., second_try: _Optional[bool] = ...) -> None: ...

class GlossaryMatch(_message.Message):
    __slots__ = ("entry", "source", "applied", "target")
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    APPLIED_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    entry: _options_pb2.GlossaryEntry
    source: Span
    applied: bool
    target: Span
    def __init__(self, entry: _Optional[_Union[_options_pb2.GlossaryEntry, _Mapping]] = ..., source: _Optional[_Union[Span, _Mapping]] = ..., applied: _Optional[bool] = ..., target: _Optional[_Union[Span, _Mapping]] = ...) -> None: ...

class Hypothesis(_message.Message):
    __slots__ = ("translated_text", "score", "log_prob", "token_count", "finish_reason", "tokens", "alignments", "attention", "sentences", "quality", "moses_alignments")
    TRANSLATED_TEXT_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    LOG_PROB_FIELD_NUMBER: _ClassVar[int]
    TOKEN_COUNT_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    ALIGNMENTS_FIELD_NUMBER: _ClassVar[int]
    ATTENTION_FIELD_NUMBER: _ClassVar[int]
    SENTENCES_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    MOSES_ALIGNMENTS_FIELD_NUMBER: _ClassVar[int]
    translated_text: str
    score: float
    log_prob: float
    token_count: int
    finish_reason: FinishReason
    tokens: _containers.RepeatedCompositeFieldContainer[Token]
    alignments: _containers.RepeatedCompositeFieldContainer[AlignmentLink]
    attention: AttentionMatrix
    sentences: _containers.RepeatedCompositeFieldContainer[Sentence]
    quality: float
    moses_alignments: str
    def __init__(self, translated_text: _Optional[str] = ..., score: _Optional[float] = ..., log_prob: _Optional[float] = ..., token_count: _Optional[int] = ..., finish_reason: _Optional[_Union[FinishReason, str]] = ..., tokens: _Optional[_Iterable[_Union[Token, _Mapping]]] = ..., alignments: _Optional[_Iterable[_Union[AlignmentLink, _Mapping]]] = ..., attention: _Optional[_Union[AttentionMatrix, _Mapping]] = ..., sentences: _Optional[_Iterable[_Union[Sentence, _Mapping]]] = ..., quality: _Optional[float] = ..., moses_alignments: _Optional[str] = ...) -> None: ...

class Span(_message.Message):
    __slots__ = ("start", "end")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    start: int
    end: int
    def __init__(self, start: _Optional[int] = ..., end: _Optional[int] = ...) -> None: ...

class Token(_message.Message):
    __slots__ = ("piece", "id", "log_prob", "span")
    PIECE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    LOG_PROB_FIELD_NUMBER: _ClassVar[int]
    SPAN_FIELD_NUMBER: _ClassVar[int]
    piece: str
    id: int
    log_prob: float
    span: Span
    def __init__(self, piece: _Optional[str] = ..., id: _Optional[int] = ..., log_prob: _Optional[float] = ..., span: _Optional[_Union[Span, _Mapping]] = ...) -> None: ...

class AlignmentLink(_message.Message):
    __slots__ = ("source", "target", "weight", "source_word", "target_word")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_WORD_FIELD_NUMBER: _ClassVar[int]
    TARGET_WORD_FIELD_NUMBER: _ClassVar[int]
    source: Span
    target: Span
    weight: float
    source_word: int
    target_word: int
    def __init__(self, source: _Optional[_Union[Span, _Mapping]] = ..., target: _Optional[_Union[Span, _Mapping]] = ..., weight: _Optional[float] = ..., source_word: _Optional[int] = ..., target_word: _Optional[int] = ...) -> None: ...

class AttentionMatrix(_message.Message):
    __slots__ = ("rows", "columns", "weights")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    rows: int
    columns: int
    weights: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, rows: _Optional[int] = ..., columns: _Optional[int] = ..., weights: _Optional[_Iterable[float]] = ...) -> None: ...

class Sentence(_message.Message):
    __slots__ = ("source", "target", "score", "log_prob", "token_count", "finish_reason", "quality")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    LOG_PROB_FIELD_NUMBER: _ClassVar[int]
    TOKEN_COUNT_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    source: Span
    target: Span
    score: float
    log_prob: float
    token_count: int
    finish_reason: FinishReason
    quality: float
    def __init__(self, source: _Optional[_Union[Span, _Mapping]] = ..., target: _Optional[_Union[Span, _Mapping]] = ..., score: _Optional[float] = ..., log_prob: _Optional[float] = ..., token_count: _Optional[int] = ..., finish_reason: _Optional[_Union[FinishReason, str]] = ..., quality: _Optional[float] = ...) -> None: ...

class TranslationWarning(_message.Message):
    __slots__ = ("code", "message", "span")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    SPAN_FIELD_NUMBER: _ClassVar[int]
    code: WarningCode
    message: str
    span: Span
    def __init__(self, code: _Optional[_Union[WarningCode, str]] = ..., message: _Optional[str] = ..., span: _Optional[_Union[Span, _Mapping]] = ...) -> None: ...

class TranslationDelta(_message.Message):
    __slots__ = ("index", "text", "token_count", "is_last")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TOKEN_COUNT_FIELD_NUMBER: _ClassVar[int]
    IS_LAST_FIELD_NUMBER: _ClassVar[int]
    index: int
    text: str
    token_count: int
    is_last: bool
    def __init__(self, index: _Optional[int] = ..., text: _Optional[str] = ..., token_count: _Optional[int] = ..., is_last: _Optional[bool] = ...) -> None: ...

class TranslationScore(_message.Message):
    __slots__ = ("score", "log_prob", "token_count", "source_tokens", "target_tokens", "alignments", "moses_alignments", "attention", "error", "warnings")
    SCORE_FIELD_NUMBER: _ClassVar[int]
    LOG_PROB_FIELD_NUMBER: _ClassVar[int]
    TOKEN_COUNT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TARGET_TOKENS_FIELD_NUMBER: _ClassVar[int]
    ALIGNMENTS_FIELD_NUMBER: _ClassVar[int]
    MOSES_ALIGNMENTS_FIELD_NUMBER: _ClassVar[int]
    ATTENTION_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    score: float
    log_prob: float
    token_count: int
    source_tokens: _containers.RepeatedCompositeFieldContainer[Token]
    target_tokens: _containers.RepeatedCompositeFieldContainer[Token]
    alignments: _containers.RepeatedCompositeFieldContainer[AlignmentLink]
    moses_alignments: str
    attention: AttentionMatrix
    error: _status_pb2.Status
    warnings: _containers.RepeatedCompositeFieldContainer[TranslationWarning]
    def __init__(self, score: _Optional[float] = ..., log_prob: _Optional[float] = ..., token_count: _Optional[int] = ..., source_tokens: _Optional[_Iterable[_Union[Token, _Mapping]]] = ..., target_tokens: _Optional[_Iterable[_Union[Token, _Mapping]]] = ..., alignments: _Optional[_Iterable[_Union[AlignmentLink, _Mapping]]] = ..., moses_alignments: _Optional[str] = ..., attention: _Optional[_Union[AttentionMatrix, _Mapping]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ..., warnings: _Optional[_Iterable[_Union[TranslationWarning, _Mapping]]] = ...) -> None: ...

class TokenizedText(_message.Message):
    __slots__ = ("tokens",)
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    tokens: _containers.RepeatedCompositeFieldContainer[Token]
    def __init__(self, tokens: _Optional[_Iterable[_Union[Token, _Mapping]]] = ...) -> None: ...

class Usage(_message.Message):
    __slots__ = ("source_characters", "sentences", "source_tokens", "target_tokens")
    SOURCE_CHARACTERS_FIELD_NUMBER: _ClassVar[int]
    SENTENCES_FIELD_NUMBER: _ClassVar[int]
    SOURCE_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TARGET_TOKENS_FIELD_NUMBER: _ClassVar[int]
    source_characters: int
    sentences: int
    source_tokens: int
    target_tokens: int
    def __init__(self, source_characters: _Optional[int] = ..., sentences: _Optional[int] = ..., source_tokens: _Optional[int] = ..., target_tokens: _Optional[int] = ...) -> None: ...

class Timings(_message.Message):
    __slots__ = ("total_duration", "preparation_duration", "queue_duration", "decode_duration")
    TOTAL_DURATION_FIELD_NUMBER: _ClassVar[int]
    PREPARATION_DURATION_FIELD_NUMBER: _ClassVar[int]
    QUEUE_DURATION_FIELD_NUMBER: _ClassVar[int]
    DECODE_DURATION_FIELD_NUMBER: _ClassVar[int]
    total_duration: _duration_pb2.Duration
    preparation_duration: _duration_pb2.Duration
    queue_duration: _duration_pb2.Duration
    decode_duration: _duration_pb2.Duration
    def __init__(self, total_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., preparation_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., queue_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., decode_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...
