from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LengthPenaltyKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LENGTH_PENALTY_KIND_UNSPECIFIED: _ClassVar[LengthPenaltyKind]
    LENGTH_PENALTY_KIND_EXPONENT: _ClassVar[LengthPenaltyKind]
    LENGTH_PENALTY_KIND_GNMT: _ClassVar[LengthPenaltyKind]

class LongInputPolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LONG_INPUT_POLICY_UNSPECIFIED: _ClassVar[LongInputPolicy]
    LONG_INPUT_POLICY_SPLIT: _ClassVar[LongInputPolicy]
    LONG_INPUT_POLICY_TRUNCATE: _ClassVar[LongInputPolicy]
    LONG_INPUT_POLICY_ERROR: _ClassVar[LongInputPolicy]

class GlossaryMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GLOSSARY_MODE_UNSPECIFIED: _ClassVar[GlossaryMode]
    GLOSSARY_MODE_FORCE: _ClassVar[GlossaryMode]
    GLOSSARY_MODE_PREFER: _ClassVar[GlossaryMode]

class Priority(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRIORITY_UNSPECIFIED: _ClassVar[Priority]
    PRIORITY_LOW: _ClassVar[Priority]
    PRIORITY_NORMAL: _ClassVar[Priority]
    PRIORITY_HIGH: _ClassVar[Priority]
LENGTH_PENALTY_KIND_UNSPECIFIED: LengthPenaltyKind
LENGTH_PENALTY_KIND_EXPONENT: LengthPenaltyKind
LENGTH_PENALTY_KIND_GNMT: LengthPenaltyKind
LONG_INPUT_POLICY_UNSPECIFIED: LongInputPolicy
LONG_INPUT_POLICY_SPLIT: LongInputPolicy
LONG_INPUT_POLICY_TRUNCATE: LongInputPolicy
LONG_INPUT_POLICY_ERROR: LongInputPolicy
GLOSSARY_MODE_UNSPECIFIED: GlossaryMode
GLOSSARY_MODE_FORCE: GlossaryMode
GLOSSARY_MODE_PREFER: GlossaryMode
PRIORITY_UNSPECIFIED: Priority
PRIORITY_LOW: Priority
PRIORITY_NORMAL: Priority
PRIORITY_HIGH: Priority

class DecodingOptions(_message.Message):
    __slots__ = ("beam_size", "num_hypotheses", "patience", "length_penalty", "length_penalty_kind", "coverage_penalty", "min_tokens", "max_tokens", "max_length_ratio", "max_length_offset", "repetition_penalty", "no_repeat_ngram_size", "sampling", "prefix_bias", "forbid_unknown", "replace_unknown", "suppress", "use_shortlist", "loop_guard_tokens", "early_stopping", "beam_groups", "diversity_penalty", "min_length_ratio")
    BEAM_SIZE_FIELD_NUMBER: _ClassVar[int]
    NUM_HYPOTHESES_FIELD_NUMBER: _ClassVar[int]
    PATIENCE_FIELD_NUMBER: _ClassVar[int]
    LENGTH_PENALTY_FIELD_NUMBER: _ClassVar[int]
    LENGTH_PENALTY_KIND_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_PENALTY_FIELD_NUMBER: _ClassVar[int]
    MIN_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MAX_LENGTH_RATIO_FIELD_NUMBER: _ClassVar[int]
    MAX_LENGTH_OFFSET_FIELD_NUMBER: _ClassVar[int]
    REPETITION_PENALTY_FIELD_NUMBER: _ClassVar[int]
    NO_REPEAT_NGRAM_SIZE_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    PREFIX_BIAS_FIELD_NUMBER: _ClassVar[int]
    FORBID_UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    REPLACE_UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    SUPPRESS_FIELD_NUMBER: _ClassVar[int]
    USE_SHORTLIST_FIELD_NUMBER: _ClassVar[int]
    LOOP_GUARD_TOKENS_FIELD_NUMBER: _ClassVar[int]
    EARLY_STOPPING_FIELD_NUMBER: _ClassVar[int]
    BEAM_GROUPS_FIELD_NUMBER: _ClassVar[int]
    DIVERSITY_PENALTY_FIELD_NUMBER: _ClassVar[int]
    MIN_LENGTH_RATIO_FIELD_NUMBER: _ClassVar[int]
    beam_size: int
    num_hypotheses: int
    patience: float
    length_penalty: float
    length_penalty_kind: LengthPenaltyKind
    coverage_penalty: float
    min_tokens: int
    max_tokens: int
    max_length_ratio: float
    max_length_offset: int
    repetition_penalty: float
    no_repeat_ngram_size: int
    sampling: Sampling
    prefix_bias: float
    forbid_unknown: bool
    replace_unknown: bool
    suppress: _containers.RepeatedScalarFieldContainer[str]
    use_shortlist: bool
    loop_guard_tokens: int
    early_stopping: bool
    beam_groups: int
    diversity_penalty: float
    min_length_ratio: float
    def __init__(self, beam_size: _Optional[int] = ..., num_hypotheses: _Optional[int] = ..., patience: _Optional[float] = ..., length_penalty: _Optional[float] = ..., length_penalty_kind: _Optional[_Union[LengthPenaltyKind, str]] = ..., coverage_penalty: _Optional[float] = ..., min_tokens: _Optional[int] = ..., max_tokens: _Optional[int] = ..., max_length_ratio: _Optional[float] = ..., max_length_offset: _Optional[int] = ..., repetition_penalty: _Optional[float] = ..., no_repeat_ngram_size: _Optional[int] = ..., sampling: _Optional[_Union[Sampling, _Mapping]] = ..., prefix_bias: _Optional[float] = ..., forbid_unknown: _Optional[bool] = ..., replace_unknown: _Optional[bool] = ..., suppress: _Optional[_Iterable[str]] = ..., use_shortlist: _Optional[bool] = ..., loop_guard_tokens: _Optional[int] = ..., early_stopping: _Optional[bool] = ..., beam_groups: _Optional[int] = ..., diversity_penalty: _Optional[float] = ..., min_length_ratio: _Optional[float] = ...) -> None: ...

class Sampling(_message.Message):
    __slots__ = ("temperature", "top_k", "top_p", "seed", "min_p")
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    TOP_P_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    MIN_P_FIELD_NUMBER: _ClassVar[int]
    temperature: float
    top_k: int
    top_p: float
    seed: int
    min_p: float
    def __init__(self, temperature: _Optional[float] = ..., top_k: _Optional[int] = ..., top_p: _Optional[float] = ..., seed: _Optional[int] = ..., min_p: _Optional[float] = ...) -> None: ...

class OutputOptions(_message.Message):
    __slots__ = ("tokens", "alignments", "attention", "sentences", "quality", "alternatives_at_prefix")
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    ALIGNMENTS_FIELD_NUMBER: _ClassVar[int]
    ATTENTION_FIELD_NUMBER: _ClassVar[int]
    SENTENCES_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    ALTERNATIVES_AT_PREFIX_FIELD_NUMBER: _ClassVar[int]
    tokens: bool
    alignments: bool
    attention: bool
    sentences: bool
    quality: bool
    alternatives_at_prefix: int
    def __init__(self, tokens: _Optional[bool] = ..., alignments: _Optional[bool] = ..., attention: _Optional[bool] = ..., sentences: _Optional[bool] = ..., quality: _Optional[bool] = ..., alternatives_at_prefix: _Optional[int] = ...) -> None: ...

class TextOptions(_message.Message):
    __slots__ = ("split_sentences", "long_input", "keep_newlines", "placeholder_patterns", "protect_spans", "translated_attributes", "second_try")
    SPLIT_SENTENCES_FIELD_NUMBER: _ClassVar[int]
    LONG_INPUT_FIELD_NUMBER: _ClassVar[int]
    KEEP_NEWLINES_FIELD_NUMBER: _ClassVar[int]
    PLACEHOLDER_PATTERNS_FIELD_NUMBER: _ClassVar[int]
    PROTECT_SPANS_FIELD_NUMBER: _ClassVar[int]
    TRANSLATED_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    SECOND_TRY_FIELD_NUMBER: _ClassVar[int]
    split_sentences: bool
    long_input: LongInputPolicy
    keep_newlines: bool
    placeholder_patterns: _containers.RepeatedScalarFieldContainer[str]
    protect_spans: bool
    translated_attributes: _containers.RepeatedScalarFieldContainer[str]
    second_try: bool
    def __init__(self, split_sentences: _Optional[bool] = ..., long_input: _Optional[_Union[LongInputPolicy, str]] = ..., keep_newlines: _Optional[bool] = ..., placeholder_patterns: _Optional[_Iterable[str]] = ..., protect_spans: _Optional[bool] = ..., translated_attributes: _Optional[_Iterable[str]] = ..., second_try: _Optional[bool] = ...) -> None: ...

class GlossaryConfig(_message.Message):
    __slots__ = ("glossary", "ignore_case", "entries", "mode", "bias", "match_inflections")
    GLOSSARY_FIELD_NUMBER: _ClassVar[int]
    IGNORE_CASE_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    BIAS_FIELD_NUMBER: _ClassVar[int]
    MATCH_INFLECTIONS_FIELD_NUMBER: _ClassVar[int]
    glossary: str
    ignore_case: bool
    entries: _containers.RepeatedCompositeFieldContainer[GlossaryEntry]
    mode: GlossaryMode
    bias: float
    match_inflections: bool
    def __init__(self, glossary: _Optional[str] = ..., ignore_case: _Optional[bool] = ..., entries: _Optional[_Iterable[_Union[GlossaryEntry, _Mapping]]] = ..., mode: _Optional[_Union[GlossaryMode, str]] = ..., bias: _Optional[float] = ..., match_inflections: _Optional[bool] = ...) -> None: ...

class GlossaryEntry(_message.Message):
    __slots__ = ("source", "target")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    source: str
    target: str
    def __init__(self, source: _Optional[str] = ..., target: _Optional[str] = ...) -> None: ...
