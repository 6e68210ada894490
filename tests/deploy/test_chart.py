"""The chart: linted, rendered in all its forms, and valid for the oldest and the newest cluster."""

from __future__ import annotations

from pathlib import Path

import helm_python
import kubernetes_validate
import pytest
import yaml
from render import CHART, render
from scanners import checkov

VERSIONS = ("1.30", "1.37")
"""Of Kubernetes: the oldest that the chart is for, and the newest that is known."""
DIGEST = "sha256:" + "0123456789abcdef" * 4
FORMS = {
    "defaults": {},
    "secured": {"tls": {"secretName": "certificate"}, "apiKeys": {"secretName": "keys"}},
    "scaled": {
        "autoscaling": {"enabled": True},
        "metrics": {"serviceMonitor": {"enabled": True}, "rules": {"enabled": True}},
    },
    "gpu": {"gpu": {"enabled": True}, "image": {"repository": "ferryman-gpu"}},
    "bundles of a volume": {
        "bundles": {
            "serve": "/bundles/de-en",
            "volume": {"persistentVolumeClaim": {"claimName": "bundles", "readOnly": True}},
        }
    },
    "bundles of an image": {"bundles": {"serve": "/bundles/de-en", "init": {"image": "models:1"}}},
    "bare": {"networkPolicy": {"enabled": False}, "podDisruptionBudget": {"enabled": False}},
}
OF_THE_OPERATOR = {"ServiceMonitor", "PrometheusRule"}


def objects(**values) -> dict[str, dict]:
    """The objects of the chart by kind; each kind occurs once."""
    rendered = render(values, name="demo", namespace="prod")
    by_kind = {each["kind"]: each for each in rendered}
    assert len(by_kind) == len(rendered)
    return by_kind


def pod(**values) -> dict:
    return objects(**values)["Deployment"]["spec"]["template"]["spec"]


def variables(**values) -> dict[str, str]:
    (container,) = pod(**values)["containers"]
    return {each["name"]: each["value"] for each in container["env"]}


def test_lint_has_nothing_to_say_but_that_there_is_no_icon():
    found = helm_python.lint(str(CHART))
    assert not found["errors"]
    assert [message["error"] for message in found["messages"]] == ["icon is recommended"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_valid(form, version):
    for each in render(FORMS[form], name="demo", namespace="prod"):
        assert each["metadata"]["namespace"] == "prod"
        if each["kind"] not in OF_THE_OPERATOR:
            kubernetes_validate.validate(each, version, strict=True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"servr": {}},
        {"server": {"drainSeconds": "long"}},
        {"server": {"env": {"PATH": "/bin"}}},
        {"image": {"digest": "sha256:1"}},
        {"autoscaling": {"occupancy": 80}},
    ],
)
def test_values_that_mean_nothing_are_refused(wrong):
    with pytest.raises(helm_python.HelmError):
        render(wrong, name="demo", namespace="prod")


def test_a_pod_has_time_to_hear_and_to_drain():
    server = {"drainSeconds": 120, "preStopSeconds": 10}
    spec = pod(server=server)
    (container,) = spec["containers"]
    assert container["lifecycle"]["preStop"]["sleep"]["seconds"] == 10
    assert variables(server=server)["FERRYMAN_DRAIN_SECONDS"] == "120"
    assert spec["terminationGracePeriodSeconds"] > 120 + 10 + 2


def test_a_new_pod_is_ready_before_an_old_one_stops():
    strategy = objects()["Deployment"]["spec"]["strategy"]["rollingUpdate"]
    assert strategy == {"maxSurge": 1, "maxUnavailable": 0}


@pytest.mark.parametrize("probe", ["startupProbe", "readinessProbe", "livenessProbe"])
@pytest.mark.parametrize("guard", [{"tls": {"secretName": "a"}}, {"apiKeys": {"secretName": "a"}}])
def test_probes_ask_the_health_service_and_also_work_under_tls_and_with_keys(probe, guard):
    (plain,) = pod()["containers"]
    (guarded,) = pod(**guard)["containers"]
    assert plain[probe]["grpc"] == {"port": 50051}
    assert guarded[probe]["grpc"] == {"port": 50052}
    assert variables(**guard)["FERRYMAN_PROBE_ADDRESS"] == "0.0.0.0:50052"


def test_certificates_and_keys_are_read_where_their_secrets_are_mounted():
    given = variables(
        tls={"secretName": "a", "clientCertificates": True}, apiKeys={"secretName": "b"}
    )
    assert given["FERRYMAN_TLS_CERTIFICATE"] == "/etc/ferryman/tls/tls.crt"
    assert given["FERRYMAN_TLS_KEY"] == "/etc/ferryman/tls/tls.key"
    assert given["FERRYMAN_TLS_CLIENT_CA"] == "/etc/ferryman/tls/ca.crt"
    assert given["FERRYMAN_KEYS_FILE"] == "/etc/ferryman/keys/keys.json"
    assert not any("TLS" in name or "KEYS" in name for name in variables())


@pytest.mark.parametrize(
    ("cpu", "workers"), [("4", "4"), (2, "2"), ("2500m", "2"), ("500m", "1"), ("0.5", "1")]
)
def test_there_is_a_worker_for_each_whole_core(cpu, workers):
    resources = {"limits": {"cpu": cpu, "memory": "1Gi"}}
    assert variables(resources=resources)["FERRYMAN_WORKERS"] == workers


def test_variables_of_the_user_go_first_and_are_texts():
    given = variables(server={"env": {"FERRYMAN_MAX_TEXTS": 256, "FERRYMAN_LOG_FORMAT": "text"}})
    assert given["FERRYMAN_MAX_TEXTS"] == "256"
    assert given["FERRYMAN_LOG_FORMAT"] == "text"
    assert variables()["FERRYMAN_MAX_QUEUED_TOKENS"] == "65536"


def test_the_autoscaler_looks_at_waiting_and_occupancy_and_owns_the_replicas():
    rendered = objects(
        autoscaling={"enabled": True, "queueSeconds": 0.25, "occupancy": 0.5},
        server={"workers": 4, "maxRows": 32},
    )
    assert "replicas" not in rendered["Deployment"]["spec"]
    metrics = rendered["HorizontalPodAutoscaler"]["spec"]["metrics"]
    targets = {each["pods"]["metric"]["name"]: each["pods"]["target"] for each in metrics}
    assert targets["ferryman_queue_estimated_wait_seconds"]["averageValue"] == "250m"
    assert targets["ferryman_batch_rows"]["averageValue"] == "64"


def test_clients_resolve_every_server():
    service = objects()["Service"]
    assert service["spec"]["clusterIP"] == "None"
    labels = objects()["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()


def test_a_server_may_be_reached_but_reaches_nobody():
    policy = objects()["NetworkPolicy"]["spec"]
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert policy["egress"] == []
    ports = [rule["ports"] for rule in policy["ingress"]]
    assert ports == [[{"port": "grpc"}], [{"port": "metrics"}]]


def test_a_gpu_is_asked_for_and_its_node_chosen():
    spec = pod(**FORMS["gpu"])
    (container,) = spec["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert spec["nodeSelector"] == {"nvidia.com/gpu.present": "true"}
    assert spec["tolerations"][0]["key"] == "nvidia.com/gpu"
    assert variables(**FORMS["gpu"])["FERRYMAN_DEVICE"] == "cuda"
    assert "nodeSelector" not in pod()


@pytest.mark.parametrize("form", ["bundles of a volume", "bundles of an image"])
def test_bundles_are_mounted_where_the_server_reads_them_and_cannot_be_written(form):
    spec = pod(**FORMS[form])
    (container,) = spec["containers"]
    mount = next(each for each in container["volumeMounts"] if each["name"] == "bundles")
    assert mount == {"name": "bundles", "mountPath": "/bundles", "readOnly": True}
    assert container["args"] == ["/bundles/de-en"]
    assert ("initContainers" in spec) == (form == "bundles of an image")


def test_secrets_are_mounted_and_never_variables():
    spec = pod(**FORMS["secured"])
    mounted = {each["name"]: each["secret"]["secretName"] for each in spec["volumes"][1:]}
    assert mounted == {"tls": "certificate", "keys": "keys"}
    assert "valueFrom" not in yaml.safe_dump(spec)


@pytest.mark.parametrize("form", FORMS.keys() - {"bare"})
def test_checkov_finds_nothing_that_is_not_explained(form, tmp_path):
    assert found_in(form, tmp_path) == set()


def test_checkov_would_find_that_a_network_policy_is_missing(tmp_path):
    assert found_in("bare", tmp_path) == {"CKV2_K8S_6"}


def found_in(form: str, folder: Path) -> set[str]:
    pinned = {"image": FORMS[form].get("image", {}) | {"digest": DIGEST}}
    if form == "bundles of an image":
        pinned["bundles"] = {"serve": "/bundles/x", "init": {"image": f"models@{DIGEST}"}}
    manifest = folder / "manifest.yaml"
    rendered = render(FORMS[form] | pinned, name="demo", namespace="prod")
    manifest.write_text(yaml.safe_dump_all(rendered))
    return checkov("kubernetes", manifest)
