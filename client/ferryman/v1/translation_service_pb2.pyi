import datetime

from ferryman.v1 import model_pb2 as _model_pb2
from ferryman.v1 import options_pb2 as _options_pb2
from ferryman.v1 import translation_pb2 as _translation_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TranslateTextRequest(_message.Message):
    __slots__ = ("contents", "mime_type", "source_language_code", "target_language_code", "model", "decoding", "output", "text", "glossary_config", "do_not_translate", "priority", "request_id", "labels", "target_prefixes")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    CONTENTS_FIELD_NUMBER: _ClassVar[int]
    MIME_TYPE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    TARGET_LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    DECODING_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    GLOSSARY_CONFIG_FIELD_NUMBER: _ClassVar[int]
    DO_NOT_TRANSLATE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    TARGET_PREFIXES_FIELD_NUMBER: _ClassVar[int]
    contents: _containers.RepeatedScalarFieldContainer[str]
    mime_type: str
    source_language_code: str
    target_language_code: str
    model: str
    decoding: _options_pb2.DecodingOptions
    output: _options_pb2.OutputOptions
    text: _options_pb2.TextOptions
    glossary_config: _options_pb2.GlossaryConfig
    do_not_translate: _containers.RepeatedScalarFieldContainer[str]
    priority: _options_pb2.Priority
    request_id: str
    labels: _containers.ScalarMap[str, str]
    target_prefixes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, contents: _Optional[_Iterable[str]] = ..., mime_type: _Optional[str] = ..., source_language_code: _Optional[str] = ..., target_language_code: _Optional[str] = ..., model: _Optional[str] = ..., decoding: _Optional[_Union[_options_pb2.DecodingOptions, _Mapping]] = ..., output: _Optional[_Union[_options_pb2.OutputOptions, _Mapping]] = ..., text: _Optional[_Union[_options_pb2.TextOptions, _Mapping]] = ..., glossary_config: _Optional[_Union[_options_pb2.GlossaryConfig, _Mapping]] = ..., do_not_translate: _Optional[_Iterable[str]] = ..., priority: _Optional[_Union[_options_pb2.Priority, str]] = ..., request_id: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., target_prefixes: _Optional[_Iterable[str]] = ...) -> None: ...

class TranslateTextResponse(_message.Message):
    __slots__ = ("translations", "model", "usage", "timings", "request_id", "decoding", "source_language_code", "target_language_code", "model_digest")
    TRANSLATIONS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    DECODING_FIELD_NUMBER: _ClassVar[int]
    SOURCE_LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    TARGET_LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    translations: _containers.RepeatedCompositeFieldContainer[_translation_pb2.Translation]
    model: str
    usage: _translation_pb2.Usage
    timings: _translation_pb2.Timings
    request_id: str
    decoding: _options_pb2.DecodingOptions
    source_language_code: str
    target_language_code: str
    model_digest: str
    def __init__(self, translations: _Optional[_Iterable[_Union[_translation_pb2.Translation, _Mapping]]] = ..., model: _Optional[str] = ..., usage: _Optional[_Union[_translation_pb2.Usage, _Mapping]] = ..., timings: _Optional[_Union[_translation_pb2.Timings, _Mapping]] = ..., request_id: _Optional[str] = ..., decoding: _Optional[_Union[_options_pb2.DecodingOptions, _Mapping]] = ..., source_language_code: _Optional[str] = ..., target_language_code: _Optional[str] = ..., model_digest: _Optional[str] = ...) -> None: ...

class StreamTranslateTextRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: TranslateTextRequest
    def __init__(self, request: _Optional[_Union[TranslateTextRequest, _Mapping]] = ...) -> None: ...

class StreamTranslateTextResponse(_message.Message):
    __slots__ = ("delta", "result")
    DELTA_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    delta: _translation_pb2.TranslationDelta
    result: TranslateTextResponse
    def __init__(self, delta: _Optional[_Union[_translation_pb2.TranslationDelta, _Mapping]] = ..., result: _Optional[_Union[TranslateTextResponse, _Mapping]] = ...) -> None: ...

class TranslateBatchRequest(_message.Message):
    __slots__ = ("config", "item")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    config: TranslateTextRequest
    item: BatchItem
    def __init__(self, config: _Optional[_Union[TranslateTextRequest, _Mapping]] = ..., item: _Optional[_Union[BatchItem, _Mapping]] = ...) -> None: ...

class BatchItem(_message.Message):
    __slots__ = ("id", "content", "target_prefix", "decoding")
    ID_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    TARGET_PREFIX_FIELD_NUMBER: _ClassVar[int]
    DECODING_FIELD_NUMBER: _ClassVar[int]
    id: int
    content: str
    target_prefix: str
    decoding: _options_pb2.DecodingOptions
    def __init__(self, id: _Optional[int] = ..., content: _Optional[str] = ..., target_prefix: _Optional[str] = ..., decoding: _Optional[_Union[_options_pb2.DecodingOptions, _Mapping]] = ...) -> None: ...

class TranslateBatchResponse(_message.Message):
    __slots__ = ("started", "result")
    STARTED_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    started: BatchStarted
    result: BatchResult
    def __init__(self, started: _Optional[_Union[BatchStarted, _Mapping]] = ..., result: _Optional[_Union[BatchResult, _Mapping]] = ...) -> None: ...

class BatchStarted(_message.Message):
    __slots__ = ("request_id", "model", "model_digest", "decoding", "source_language_code", "target_language_code", "max_items")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    DECODING_FIELD_NUMBER: _ClassVar[int]
    SOURCE_LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    TARGET_LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    MAX_ITEMS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    model: str
    model_digest: str
    decoding: _options_pb2.DecodingOptions
    source_language_code: str
    target_language_code: str
    max_items: int
    def __init__(self, request_id: _Optional[str] = ..., model: _Optional[str] = ..., model_digest: _Optional[str] = ..., decoding: _Optional[_Union[_options_pb2.DecodingOptions, _Mapping]] = ..., source_language_code: _Optional[str] = ..., target_language_code: _Optional[str] = ..., max_items: _Optional[int] = ...) -> None: ...

class BatchResult(_message.Message):
    __slots__ = ("id", "translation", "model", "usage")
    ID_FIELD_NUMBER: _ClassVar[int]
    TRANSLATION_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    id: int
    translation: _translation_pb2.Translation
    model: str
    usage: _translation_pb2.Usage
    def __init__(self, id: _Optional[int] = ..., translation: _Optional[_Union[_translation_pb2.Translation, _Mapping]] = ..., model: _Optional[str] = ..., usage: _Optional[_Union[_translation_pb2.Usage, _Mapping]] = ...) -> None: ...

class ScoreTextRequest(_message.Message):
    __slots__ = ("pairs", "source_language_code", "target_language_code", "model", "output", "priority", "request_id", "labels")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    TARGET_LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    pairs: _containers.RepeatedCompositeFieldContainer[TextPair]
    source_language_code: str
    target_language_code: str
    model: str
    output: _options_pb2.OutputOptions
    priority: _options_pb2.Priority
    request_id: str
    labels: _containers.ScalarMap[str, str]
    def __init__(self, pairs: _Optional[_Iterable[_Union[TextPair, _Mapping]]] = ..., source_language_code: _Optional[str] = ..., target_language_code: _Optional[str] = ..., model: _Optional[str] = ..., output: _Optional[_Union[_options_pb2.OutputOptions, _Mapping]] = ..., priority: _Optional[_Union[_options_pb2.Priority, str]] = ..., request_id: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ...) -> None: ...

class TextPair(_message.Message):
    __slots__ = ("source_text", "target_text")
    SOURCE_TEXT_FIELD_NUMBER: _ClassVar[int]
    TARGET_TEXT_FIELD_NUMBER: _ClassVar[int]
    source_text: str
    target_text: str
    def __init__(self, source_text: _Optional[str] = ..., target_text: _Optional[str] = ...) -> None: ...

class ScoreTextResponse(_message.Message):
    __slots__ = ("scores", "model", "usage", "request_id", "model_digest")
    SCORES_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    scores: _containers.RepeatedCompositeFieldContainer[_translation_pb2.TranslationScore]
    model: str
    usage: _translation_pb2.Usage
    request_id: str
    model_digest: str
    def __init__(self, scores: _Optional[_Iterable[_Union[_translation_pb2.TranslationScore, _Mapping]]] = ..., model: _Optional[str] = ..., usage: _Optional[_Union[_translation_pb2.Usage, _Mapping]] = ..., request_id: _Optional[str] = ..., model_digest: _Optional[str] = ...) -> None: ...

class TokenizeTextRequest(_message.Message):
    __slots__ = ("contents", "model", "source_language_code", "target_language_code", "request_id")
    CONTENTS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SOURCE_LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    TARGET_LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    contents: _containers.RepeatedScalarFieldContainer[str]
    model: str
    source_language_code: str
    target_language_code: str
    request_id: str
    def __init__(self, contents: _Optional[_Iterable[str]] = ..., model: _Optional[str] = ..., source_language_code: _Optional[str] = ..., target_language_code: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class TokenizeTextResponse(_message.Message):
    __slots__ = ("texts", "model", "request_id")
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    texts: _containers.RepeatedCompositeFieldContainer[_translation_pb2.TokenizedText]
    model: str
    request_id: str
    def __init__(self, texts: _Optional[_Iterable[_Union[_translation_pb2.TokenizedText, _Mapping]]] = ..., model: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class ListLanguagePairsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "model")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    model: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., model: _Optional[str] = ...) -> None: ...

class ListLanguagePairsResponse(_message.Message):
    __slots__ = ("language_pairs", "next_page_token")
    LANGUAGE_PAIRS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    language_pairs: _containers.RepeatedCompositeFieldContainer[_model_pb2.LanguagePair]
    next_page_token: str
    def __init__(self, language_pairs: _Optional[_Iterable[_Union[_model_pb2.LanguagePair, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListModelsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("models", "next_page_token")
    MODELS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[_model_pb2.Model]
    next_page_token: str
    def __init__(self, models: _Optional[_Iterable[_Union[_model_pb2.Model, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetModelRequest(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: str
    def __init__(self, model: _Optional[str] = ...) -> None: ...

class GetModelResponse(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: _model_pb2.Model
    def __init__(self, model: _Optional[_Union[_model_pb2.Model, _Mapping]] = ...) -> None: ...

class GetServerInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetServerInfoResponse(_message.Message):
    __slots__ = ("version", "device", "limits", "default_model", "features", "start_time")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_MODEL_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    version: str
    device: _model_pb2.Device
    limits: _model_pb2.Limits
    default_model: str
    features: _containers.RepeatedScalarFieldContainer[str]
    start_time: _timestamp_pb2.Timestamp
    def __init__(self, version: _Optional[str] = ..., device: _Optional[_Union[_model_pb2.Device, _Mapping]] = ..., limits: _Optional[_Union[_model_pb2.Limits, _Mapping]] = ..., default_model: _Optional[str] = ..., features: _Optional[_Iterable[str]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
