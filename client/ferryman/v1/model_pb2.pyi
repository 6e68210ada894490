from ferryman.v1 import options_pb2 as _options_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ModelState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODEL_STATE_UNSPECIFIED: _ClassVar[ModelState]
    MODEL_STATE_LOADING: _ClassVar[ModelState]
    MODEL_STATE_READY: _ClassVar[ModelState]
    MODEL_STATE_DRAINING: _ClassVar[ModelState]
    MODEL_STATE_FAILED: _ClassVar[ModelState]
MODEL_STATE_UNSPECIFIED: ModelState
MODEL_STATE_LOADING: ModelState
MODEL_STATE_READY: ModelState
MODEL_STATE_DRAINING: ModelState
MODEL_STATE_FAILED: ModelState

class Model(_message.Message):
    __slots__ = ("name", "version", "description", "license", "family", "parameters", "variant", "digest", "state", "is_default", "language_pairs", "max_source_tokens", "max_target_tokens", "default_decoding", "quality", "features", "is_current", "glossaries", "state_message")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    LICENSE_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    IS_DEFAULT_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_PAIRS_FIELD_NUMBER: _ClassVar[int]
    MAX_SOURCE_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MAX_TARGET_TOKENS_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_DECODING_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    IS_CURRENT_FIELD_NUMBER: _ClassVar[int]
    GLOSSARIES_FIELD_NUMBER: _ClassVar[int]
    STATE_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    description: str
    license: str
    family: str
    parameters: int
    variant: str
    digest: str
    state: ModelState
    is_default: bool
    language_pairs: _containers.RepeatedCompositeFieldContainer[LanguagePair]
    max_source_tokens: int
    max_target_tokens: int
    default_decoding: _options_pb2.DecodingOptions
    quality: ModelQuality
    features: _containers.RepeatedScalarFieldContainer[str]
    is_current: bool
    glossaries: _containers.RepeatedScalarFieldContainer[str]
    state_message: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., description: _Optional[str] = ..., license: _Optional[str] = ..., family: _Optional[str] = ..., parameters: _Optional[int] = ..., variant: _Optional[str] = ..., digest: _Optional[str] = ..., state: _Optional[_Union[ModelState, str]] = ..., is_default: _Optional[bool] = ..., language_pairs: _Optional[_Iterable[_Union[LanguagePair, _Mapping]]] = ..., max_source_tokens: _Optional[int] = ..., max_target_tokens: _Optional[int] = ..., default_decoding: _Optional[_Union[_options_pb2.DecodingOptions, _Mapping]] = ..., quality: _Optional[_Union[ModelQuality, _Mapping]] = ..., features: _Optional[_Iterable[str]] = ..., is_current: _Optional[bool] = ..., glossaries: _Optional[_Iterable[str]] = ..., state_message: _Optional[str] = ...) -> None: ...

class ModelQuality(_message.Message):
    __slots__ = ("test_set", "sentences", "bleu", "bleu_signature", "chrf", "chrf_signature", "search")
    TEST_SET_FIELD_NUMBER: _ClassVar[int]
    SENTENCES_FIELD_NUMBER: _ClassVar[int]
    BLEU_FIELD_NUMBER: _ClassVar[int]
    BLEU_SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    CHRF_FIELD_NUMBER: _ClassVar[int]
    CHRF_SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    SEARCH_FIELD_NUMBER: _ClassVar[int]
    test_set: str
    sentences: int
    bleu: float
    bleu_signature: str
    chrf: float
    chrf_signature: str
    search: str
    def __init__(self, test_set: _Optional[str] = ..., sentences: _Optional[int] = ..., bleu: _Optional[float] = ..., bleu_signature: _Optional[str] = ..., chrf: _Optional[float] = ..., chrf_signature: _Optional[str] = ..., search: _Optional[str] = ...) -> None: ...

class LanguagePair(_message.Message):
    __slots__ = ("source_language_code", "target_language_code", "models", "route")
    SOURCE_LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    TARGET_LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    source_language_code: str
    target_language_code: str
    models: _containers.RepeatedScalarFieldContainer[str]
    route: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, source_language_code: _Optional[str] = ..., target_language_code: _Optional[str] = ..., models: _Optional[_Iterable[str]] = ..., route: _Optional[_Iterable[str]] = ...) -> None: ...

class Device(_message.Message):
    __slots__ = ("provider", "runtime", "runtime_version", "workers", "threads_per_worker")
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_VERSION_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    THREADS_PER_WORKER_FIELD_NUMBER: _ClassVar[int]
    provider: str
    runtime: str
    runtime_version: str
    workers: int
    threads_per_worker: int
    def __init__(self, provider: _Optional[str] = ..., runtime: _Optional[str] = ..., runtime_version: _Optional[str] = ..., workers: _Optional[int] = ..., threads_per_worker: _Optional[int] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("max_contents", "max_content_characters", "max_request_bytes", "max_response_bytes", "max_beam_size", "max_num_hypotheses", "max_queued_tokens", "max_concurrent_calls", "max_batch_items", "max_attention_weights", "max_glossary_entries", "max_protected_phrases")
    MAX_CONTENTS_FIELD_NUMBER: _ClassVar[int]
    MAX_CONTENT_CHARACTERS_FIELD_NUMBER: _ClassVar[int]
    MAX_REQUEST_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_RESPONSE_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_BEAM_SIZE_FIELD_NUMBER: _ClassVar[int]
    MAX_NUM_HYPOTHESES_FIELD_NUMBER: _ClassVar[int]
    MAX_QUEUED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MAX_CONCURRENT_CALLS_FIELD_NUMBER: _ClassVar[int]
    MAX_BATCH_ITEMS_FIELD_NUMBER: _ClassVar[int]
    MAX_ATTENTION_WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    MAX_GLOSSARY_ENTRIES_FIELD_NUMBER: _ClassVar[int]
    MAX_PROTECTED_PHRASES_FIELD_NUMBER: _ClassVar[int]
    max_contents: int
    max_content_characters: int
    max_request_bytes: int
    max_response_bytes: int
    max_beam_size: int
    max_num_hypotheses: int
    max_queued_tokens: int
    max_concurrent_calls: int
    max_batch_items: int
    max_attention_weights: int
    max_glossary_entries: int
    max_protected_phrases: int
    def __init__(self, max_contents: _Optional[int] = ..., max_content_characters: _Optional[int] = ..., max_request_bytes: _Optional[int] = ..., max_response_bytes: _Optional[int] = ..., max_beam_size: _Optional[int] = ..., max_num_hypotheses: _Optional[int] = ..., max_queued_tokens: _Optional[int] = ..., max_concurrent_calls: _Optional[int] = ..., max_batch_items: _Optional[int] = ..., max_attention_weights: _Optional[int] = ..., max_glossary_entries: _Optional[int] = ..., max_protected_phrases: _Optional[int] = ...) -> None: ...
