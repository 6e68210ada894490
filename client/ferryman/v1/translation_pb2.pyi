import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.rpc import status_pb2 as _status_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

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

class Translation(_message.Message):
    __slots__ = ("hypotheses", "detected_language_code", "warnings", "error", "route", "source_tokens")
    HYPOTHESES_FIELD_NUMBER: _ClassVar[int]
    DETECTED_LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_TOKENS_FIELD_NUMBER: _ClassVar[int]
    hypotheses: _containers.RepeatedCompositeFieldContainer[Hypothesis]
    detected_language_code: str
    warnings: _containers.RepeatedCompositeFieldContainer[TranslationWarning]
    error: _status_pb2.Status
    route: _containers.RepeatedScalarFieldContainer[str]
    source_tokens: _containers.RepeatedCompositeFieldContainer[Token]
    def __init__(self, hypotheses: _Optional[_Iterable[_Union[Hypothesis, _Mapping]]] = ..., detected_language_code: _Optional[str] = ..., warnings: _Optional[_Iterable[_Union[TranslationWarning, _Mapping]]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ..., route: _Optional[_Iterable[str]] = ..., source_tokens: _Optional[_Iterable[_Union[Token, _Mapping]]] = ...) -> None: ...

class Hypothesis(_message.Message):
    __slots__ = ("translated_text", "score", "log_prob", "token_count", "finish_reason", "tokens", "alignments", "attention", "sentences", "quality")
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
    def __init__(self, translated_text: _Optional[str] = ..., score: _Optional[float] = ..., log_prob: _Optional[float] = ..., token_count: _Optional[int] = ..., finish_reason: _Optional[_Union[FinishReason, str]] = ..., tokens: _Optional[_Iterable[_Union[Token, _Mapping]]] = ..., alignments: _Optional[_Iterable[_Union[AlignmentLink, _Mapping]]] = ..., attention: _Optional[_Union[AttentionMatrix, _Mapping]] = ..., sentences: _Optional[_Iterable[_Union[Sentence, _Mapping]]] = ..., quality: _Optional[float] = ...) -> None: ...

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
    __slots__ = ("source", "target", "weight")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    source: Span
    target: Span
    weight: float
    def __init__(self, source: _Optional[_Union[Span, _Mapping]] = ..., target: _Optional[_Union[Span, _Mapping]] = ..., weight: _Optional[float] = ...) -> None: ...

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
    __slots__ = ("source", "target", "score", "log_prob", "token_count", "finish_reason")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    LOG_PROB_FIELD_NUMBER: _ClassVar[int]
    TOKEN_COUNT_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    source: Span
    target: Span
    score: float
    log_prob: float
    token_count: int
    finish_reason: FinishReason
    def __init__(self, source: _Optional[_Union[Span, _Mapping]] = ..., target: _Optional[_Union[Span, _Mapping]] = ..., score: _Optional[float] = ..., log_prob: _Optional[float] = ..., token_count: _Optional[int] = ..., finish_reason: _Optional[_Union[FinishReason, str]] = ...) -> None: ...

class TranslationWarning(_message.Message):
    __slots__ = ("code", "message", "span")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    SPAN_FIELD_NUMBER: _ClassVar[int]
    code: WarningCode
    message: str
    span: Span
    def __init__(self, code: _Optional[_Union[WarningCode, str]] = ..., message: _Optional[str] = ..., span: _Optional[_Union[Span, _Mapping]] = ...) -> None: ...

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
