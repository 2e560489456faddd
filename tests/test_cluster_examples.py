"""The examples for clusters: manifests with the structure that the controllers ask for, and commands that parse."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest
import yaml

from fastrrae.cli.main import START_AGAIN, _parse
from fastrrae.cli.train import TrainOptions

EXAMPLES = Path(__file__).parents[1] / "examples"


def objects(required, **properties):
    """The schema of an object of which nothing but these properties is known."""
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


TEXT, COUNT = {"type": "string", "minLength": 1}, {"type": "integer", "minimum": 1}
NAME = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63}
TEXTS = {"type": "object", "additionalProperties": TEXT}


def lists(item):
    return {"type": "array", "minItems": 1, "items": item}


CONTAINER = objects(
    ["name", "image", "command", "resources"],
    name=NAME,
    image=TEXT,
    command=lists(TEXT),
    env=lists(objects(["name", "value"], name={"pattern": "^[A-Z_]+$"}, value=TEXT)),
    resources=objects(["limits"], limits=objects(["google.com/tpu"], **{"google.com/tpu": COUNT})),
    volumeMounts=lists(objects(["name", "mountPath"], name=NAME, mountPath={"pattern": "^/"})),
)
EXIT_CODES = objects(
    ["operator", "values"],
    containerName=NAME,
    operator={"enum": ["In", "NotIn"]},
    values=lists({"type": "integer", "minimum": 1, "maximum": 255}),
)
POD = objects(
    ["restartPolicy", "containers"],
    restartPolicy={"enum": ["Never"]},  # a Job with a podFailurePolicy takes nothing else
    terminationGracePeriodSeconds=COUNT,
    nodeSelector=TEXTS,
    containers=lists(CONTAINER),
    volumes=lists(objects(["name", "emptyDir"], name=NAME, emptyDir=objects(["sizeLimit"], sizeLimit=TEXT))),
)
JOB = objects(
    ["parallelism", "completions", "template"],
    parallelism=COUNT,
    completions=COUNT,
    backoffLimit={"type": "integer", "minimum": 0},
    podFailurePolicy=objects(
        ["rules"],
        rules=lists(
            objects(
                ["action", "onExitCodes"],
                action={"enum": ["FailJob", "FailIndex", "Ignore", "Count"]},
                onExitCodes=EXIT_CODES,
            )
        ),
    ),
    template=objects(["spec"], spec=POD),
)
JOBSET = objects(
    ["apiVersion", "kind", "metadata", "spec"],
    apiVersion={"const": "jobset.x-k8s.io/v1alpha2"},
    kind={"const": "JobSet"},
    metadata=objects(["name"], name=NAME, annotations=TEXTS),
    spec=objects(
        ["replicatedJobs"],
        failurePolicy=objects([], maxRestarts={"type": "integer", "minimum": 0}),
        replicatedJobs=lists(
            objects(["name", "template"], name=NAME, replicas=COUNT, template=objects(["spec"], spec=JOB))
        ),
    ),
)


@pytest.fixture
def jobset():
    return yaml.safe_load((EXAMPLES / "kubernetes" / "jobset.yaml").read_text())


def options_of(command):
    """The options of a command of the examples, as the command line reads them."""
    program, *arguments = command
    assert program == "fastrrae"
    options = _parse(arguments).recipe
    assert isinstance(options, TrainOptions)
    return options


def test_the_jobset_has_the_structure_of_one(jobset):
    jsonschema.Draft202012Validator.check_schema(JOBSET)
    jsonschema.validate(jobset, JOBSET)
    (replicated,) = jobset["spec"]["replicatedJobs"]
    job = replicated["template"]["spec"]
    pod = job["template"]["spec"]
    (container,) = pod["containers"]
    assert job["parallelism"] == job["completions"]
    chips = [int(side) for side in pod["nodeSelector"]["cloud.google.com/gke-tpu-topology"].split("x")]
    assert chips[0] * chips[1] == job["parallelism"] * container["resources"]["limits"]["google.com/tpu"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    rule = job["podFailurePolicy"]["rules"][0]["onExitCodes"]
    assert rule["containerName"] == container["name"]
    assert START_AGAIN not in rule["values"]
    options = options_of(container["command"])
    assert options.resume_auto
    assert options.several_processes.distributed
    assert options.out == "gs://my-bucket/runs/celeba"


@pytest.mark.parametrize("change", ["kind", "restartPolicy", "typo"])
def test_the_schema_refuses_what_is_wrong(jobset, change):
    job = jobset["spec"]["replicatedJobs"][0]["template"]["spec"]
    if change == "kind":
        jobset["kind"] = "Job"
    elif change == "restartPolicy":
        job["template"]["spec"]["restartPolicy"] = "OnFailure"
    else:
        job["template"]["spec"]["container"] = job["template"]["spec"].pop("containers")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(jobset, JOBSET)


def test_the_slurm_script_is_one():
    path = EXAMPLES / "slurm" / "train.sbatch"
    text = path.read_text()
    if shutil.which("bash"):
        subprocess.run(["bash", "-n", str(path)], check=True)
    settings = dict(re.findall(r"^#SBATCH --([a-z-]+)(?:=(\S+))?$", text, re.MULTILINE))
    assert {"nodes", "ntasks-per-node", "requeue", "signal"} <= set(settings)
    assert settings["signal"].startswith("TERM@")
    command = re.search(r"srun [^\n]*?(fastrrae .*?)\ncode", text, re.DOTALL)
    assert command is not None
    options = options_of(shlex.split(command[1].replace("\\\n", " ")))
    assert options.resume_auto
    assert options.several_processes.distributed
    assert f'"$code" -eq {START_AGAIN} ]' in text
