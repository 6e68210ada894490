import datetime

from ferryman.v1 import model_pb2 as _model_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LoadModelRequest(_message.Message):
    __slots__ = ("bundle", "variant", "set_default")
    BUNDLE_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    SET_DEFAULT_FIELD_NUMBER: _ClassVar[int]
    bundle: str
    variant: str
    set_default: bool
    def __init__(self, bundle: _Optional[str] = ..., variant: _Optional[str] = ..., set_default: _Optional[bool] = ...) -> None: ...

class LoadModelResponse(_message.Message):
    __slots__ = ("model", "load_duration", "previous_model")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    LOAD_DURATION_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_MODEL_FIELD_NUMBER: _ClassVar[int]
    model: _model_pb2.Model
    load_duration: _duration_pb2.Duration
    previous_model: str
    def __init__(self, model: _Optional[_Union[_model_pb2.Model, _Mapping]] = ..., load_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., previous_model: _Optional[str] = ...) -> None: ...

class UnloadModelRequest(_message.Message):
    __slots__ = ("model", "drain_timeout")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    DRAIN_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    model: str
    drain_timeout: _duration_pb2.Duration
    def __init__(self, model: _Optional[str] = ..., drain_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class UnloadModelResponse(_message.Message):
    __slots__ = ("finished",)
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    finished: bool
    def __init__(self, finished: _Optional[bool] = ...) -> None: ...

class SetDefaultModelRequest(_message.Message):
    __slots__ = ("model", "server_default")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SERVER_DEFAULT_FIELD_NUMBER: _ClassVar[int]
    model: str
    server_default: bool
    def __init__(self, model: _Optional[str] = ..., server_default: _Optional[bool] = ...) -> None: ...

class SetDefaultModelResponse(_message.Message):
    __slots__ = ("model", "previous_model", "previous_default_model")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_MODEL_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_DEFAULT_MODEL_FIELD_NUMBER: _ClassVar[int]
    model: _model_pb2.Model
    previous_model: str
    previous_default_model: str
    def __init__(self, model: _Optional[_Union[_model_pb2.Model, _Mapping]] = ..., previous_model: _Optional[str] = ..., previous_default_model: _Optional[str] = ...) -> None: ...

class WatchModelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WatchModelsResponse(_message.Message):
    __slots__ = ("models",)
    MODELS_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[_model_pb2.Model]
    def __init__(self, models: _Optional[_Iterable[_Union[_model_pb2.Model, _Mapping]]] = ...) -> None: ...

class VerifyModelRequest(_message.Message):
    __slots__ = ("model", "against_model", "contents")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    AGAINST_MODEL_FIELD_NUMBER: _ClassVar[int]
    CONTENTS_FIELD_NUMBER: _ClassVar[int]
    model: str
    against_model: str
    contents: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, model: _Optional[str] = ..., against_model: _Optional[str] = ..., contents: _Optional[_Iterable[str]] = ...) -> None: ...

class VerifyModelResponse(_message.Message):
    __slots__ = ("passed", "golden_sentences", "message", "compared_sentences", "differences")
    PASSED_FIELD_NUMBER: _ClassVar[int]
    GOLDEN_SENTENCES_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    COMPARED_SENTENCES_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    passed: bool
    golden_sentences: int
    message: str
    compared_sentences: int
    differences: _containers.RepeatedCompositeFieldContainer[TranslationDifference]
    def __init__(self, passed: _Optional[bool] = ..., golden_sentences: _Optional[int] = ..., message: _Optional[str] = ..., compared_sentences: _Optional[int] = ..., differences: _Optional[_Iterable[_Union[TranslationDifference, _Mapping]]] = ...) -> None: ...

class TranslationDifference(_message.Message):
    __slots__ = ("content", "translated_text", "against_text")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    TRANSLATED_TEXT_FIELD_NUMBER: _ClassVar[int]
    AGAINST_TEXT_FIELD_NUMBER: _ClassVar[int]
    content: str
    translated_text: str
    against_text: str
    def __init__(self, content: _Optional[str] = ..., translated_text: _Optional[str] = ..., against_text: _Optional[str] = ...) -> None: ...

class DrainRequest(_message.Message):
    __slots__ = ("timeout",)
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    timeout: _duration_pb2.Duration
    def __init__(self, timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class DrainResponse(_message.Message):
    __slots__ = ("finished", "calls_under_way")
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    CALLS_UNDER_WAY_FIELD_NUMBER: _ClassVar[int]
    finished: bool
    calls_under_way: int
    def __init__(self, finished: _Optional[bool] = ..., calls_under_way: _Optional[int] = ...) -> None: ...
