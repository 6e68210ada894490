"""Sessions read no file, and a device that cannot be used is refused."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from ferryman_server.runtime.errors import DeviceError
from ferryman_server.runtime.session import check_device, make_session


def test_the_processor_is_always_there():
    check_device("cpu")


def test_a_gpu_without_its_provider_names_what_to_install(monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(DeviceError, match=r"has no CUDAExecutionProvider; install ferryman\["):
        check_device("cuda")


def test_a_session_that_does_not_get_its_device_is_refused(monkeypatch):
    class HostOnly(onnxruntime.InferenceSession):
        def __init__(self, graph, options, providers):
            super().__init__(graph, options, providers=providers[-1:])

    graph = graph_that_returns(numpy_helper.from_array(np.zeros((16, 16), np.float32), "zeros"))
    monkeypatch.setattr(onnxruntime, "InferenceSession", HostOnly)
    with pytest.raises(DeviceError, match="could not use the device cuda"):
        make_session(graph, {}, [], threads=1, device="cuda")


@pytest.mark.parametrize("location", ["private", "folder/private"])
def test_a_graph_cannot_read_a_file_of_the_server(tmp_path, monkeypatch, location):
    """Left alone, ONNX Runtime looks in the working directory: a translation could tell a key."""
    path = tmp_path / location
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"a private key, long enough to be a tensor" * 100)
    monkeypatch.chdir(tmp_path)
    tensor = TensorProto(name="stolen", data_type=TensorProto.FLOAT, dims=[16, 16])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    graph = graph_that_returns(tensor)
    read = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"]).run(None, {})
    assert read[0].tobytes().startswith(b"a private key")
    with pytest.raises(Exception, match="External data path does not exist"):
        make_session(graph, {}, [], threads=1)
    given = np.arange(256, dtype=np.float32).reshape(16, 16)
    weights = {"stolen": onnxruntime.OrtValue.ortvalue_from_numpy(given)}
    session = make_session(graph, weights, ["stolen"], threads=1)
    np.testing.assert_array_equal(session.run(None, {})[0], given)


def graph_that_returns(tensor):
    """A graph whose output is its only tensor."""
    output = helper.make_tensor_value_info("found", tensor.data_type, list(tensor.dims))
    node = helper.make_node("Identity", [tensor.name], [output.name])
    graph = helper.make_graph([node], "graph", [], [output], [tensor])
    opsets = [helper.make_opsetid("", 20)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()
