from typing import Any

import pytest

from tests.infra.conftest import Synthesized

LOG = {"EVENTS_TABLE": "events", "DIGESTS_TABLE": "digests"}
CONTROL = {"CONTROL_TABLE": "control"}
SALT = {"SALT_SECRET_ARN": "salt"}
EXPORTS = {"EXPORTS_QUEUE_URL": "exportsqueue", "EXPORTS_BUCKET": "exports"}
ERASURES = {"ERASURES_QUEUE_URL": "erasures"}

ENVIRONMENTS = {
    "publish": LOG | CONTROL | SALT,
    "record": LOG | CONTROL | SALT | {"REJECTS_QUEUE_URL": "rejects"},
    "query": LOG | CONTROL | SALT,
    "manage": LOG | CONTROL | SALT | ERASURES,
    "export": LOG | CONTROL | SALT | EXPORTS,
    "export-worker": LOG | CONTROL | EXPORTS,
    "retain": LOG | CONTROL | SALT | ERASURES,
    "erase": LOG
    | CONTROL
    | SALT
    | ERASURES
    | {"REJECTS_QUEUE_URL": "rejects", "INBOX_DLQ_URL": "inboxdlq", "EXPORTS_BUCKET": "exports"},
    "seal": LOG,
    "console": {},
}
HANDLERS = {
    "publish": "publish.handler.handler",
    "record": "record.handler.handler",
    "query": "query.handler.handler",
    "manage": "manage.handler.handler",
    "export": "export.handler.handler",
    "export-worker": "export.worker.handler",
    "retain": "retain.handler.handler",
    "erase": "erase.handler.handler",
    "seal": "seal.handler.handler",
    "console": "console.handler.handler",
}

# What each function may do, and on which resource, by the names that the stack
# gives them. `/*` are the objects of a bucket.
INSERT = {
    ("dynamodb:PartiQLInsert", "events"),
    ("dynamodb:PartiQLInsert", "digests"),
    ("secretsmanager:GetSecretValue", "salt"),
}
READ_DIGESTS = {
    ("dynamodb:Query", "digests"),
    ("dynamodb:GetItem", "digests"),
    ("dynamodb:BatchGetItem", "digests"),
}
NOTING = {
    ("dynamodb:GetItem", "control"),
    ("dynamodb:Query", "control"),
    ("dynamodb:UpdateItem", "control"),
}
REMOVING = NOTING | {("dynamodb:PutItem", "control")}
MANAGING = REMOVING | {("dynamodb:DeleteItem", "control")}
CONSUME = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
EXPORTING = {
    ("dynamodb:GetItem", "control"),
    ("dynamodb:Query", "control"),
    ("dynamodb:UpdateItem", "control"),
    ("sqs:SendMessage", "exportsqueue"),
    ("s3:GetObject", "exports/*"),
    ("s3:DeleteObject", "exports/*"),
    ("s3:ListBucket", "exports"),
}
PERMISSIONS = {
    "publish": INSERT | NOTING | {("dynamodb:GetItem", "events")},
    "record": INSERT
    | NOTING
    | {("sqs:SendMessage", "rejects")}
    | {(action, "inbox") for action in CONSUME},
    "query": INSERT
    | READ_DIGESTS
    | {
        ("dynamodb:Query", "events"),
        ("dynamodb:GetItem", "events"),
        ("dynamodb:GetItem", "control"),
        ("dynamodb:UpdateItem", "control"),
    },
    "manage": INSERT | MANAGING | {("sqs:SendMessage", "erasures")},
    "export": INSERT | EXPORTING | {("dynamodb:PutItem", "control")},
    "export-worker": EXPORTING
    | READ_DIGESTS
    | {
        ("dynamodb:Query", "events"),
        ("s3:PutObject", "exports/*"),
        ("s3:AbortMultipartUpload", "exports/*"),
        ("sqs:ChangeMessageVisibility", "exportsqueue"),
    }
    | {(action, "exportsqueue") for action in CONSUME},
    "retain": INSERT
    | REMOVING
    | {
        ("dynamodb:Query", "events"),
        ("dynamodb:PartiQLDelete", "events"),
        ("dynamodb:PartiQLUpdate", "events"),
        ("dynamodb:Query", "digests"),
        ("dynamodb:BatchWriteItem", "digests"),
        ("sqs:SendMessage", "erasures"),
    },
    "erase": INSERT
    | MANAGING
    | READ_DIGESTS
    | {
        ("dynamodb:Query", "events"),
        ("dynamodb:PartiQLDelete", "events"),
        ("dynamodb:UpdateItem", "events"),
        ("dynamodb:BatchWriteItem", "digests"),
        ("sqs:SendMessage", "erasures"),
        ("sqs:ChangeMessageVisibility", "erasures"),
        ("s3:ListBucket", "exports"),
        ("s3:DeleteObject", "exports/*"),
    }
    | {(action, "erasures") for action in CONSUME}
    | {
        (f"sqs:{action}", queue)
        for queue in ("rejects", "inboxdlq")
        for action in (
            "ReceiveMessage",
            "DeleteMessage",
            "ChangeMessageVisibility",
            "SendMessage",
        )
    },
    "seal": {
        ("dynamodb:Query", "events"),
        ("dynamodb:Query", "digests"),
        ("dynamodb:GetItem", "digests"),
        ("dynamodb:UpdateItem", "digests"),
        ("dynamodb:BatchWriteItem", "digests"),
    },
    "console": set[tuple[str, str]](),
}


def _only(*keys: str, action: str = "dynamodb:UpdateItem") -> dict[tuple[str, str], Any]:
    """Notes under these keys, and nothing else of the control table."""
    condition = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": list(keys)}}
    return {(action, "control"): condition}


EXPORT_KEYS = ("export#*", "slices#*", "asked#*", "reads#*")
CONDITIONS = {
    "publish": _only("used#*", "count#*")
    | {
        ("dynamodb:GetItem", "events"): {
            "ForAllValues:StringEquals": {"dynamodb:Attributes": ["pk", "sk"]},
            "StringEquals": {"dynamodb:Select": "SPECIFIC_ATTRIBUTES"},
        }
    },
    "record": _only("count#*"),
    "query": _only("used#*"),
    "export": _only("used#*", *EXPORT_KEYS) | _only(*EXPORT_KEYS, action="dynamodb:PutItem"),
    "export-worker": _only(*EXPORT_KEYS),
    "erase": {
        ("dynamodb:UpdateItem", "events"): {
            "ForAllValues:StringEquals": {"dynamodb:Attributes": ["pk", "sk", "r", "s"]}
        }
    },
    "retain": {
        ("dynamodb:PartiQLUpdate", "events"): {
            "ForAllValues:StringEquals": {"dynamodb:Attributes": ["pk", "sk", "ttl"]}
        }
    },
}


def test_these_functions_and_no_others(template: Synthesized) -> None:
    handlers = {name: f["Handler"] for name, f in template.functions().items()}

    assert handlers == HANDLERS


@pytest.mark.parametrize("name", HANDLERS)
def test_a_function_runs_on_what_the_asset_was_built_for(template: Synthesized, name: str) -> None:
    function = template.functions()[name]

    assert function["Runtime"] == "python3.13"
    assert function["Architectures"] == ["arm64"]
    assert function["TracingConfig"] == {"Mode": "Active"}
    assert "Layers" not in function


def test_all_functions_ship_the_same_asset(template: Synthesized) -> None:
    keys = {str(function["Code"]["S3Key"]) for function in template.functions().values()}

    assert len(keys) == 1


@pytest.mark.parametrize("name", HANDLERS)
def test_a_function_is_told_what_it_needs_and_nothing_else(
    template: Synthesized, name: str
) -> None:
    variables = dict(template.functions()[name]["Environment"]["Variables"])

    assert variables.pop("POWERTOOLS_SERVICE_NAME") == name
    assert variables.pop("LOG_LEVEL") == "INFO"
    told = {variable: value["Ref"][:-8] for variable, value in variables.items()}
    assert told == ENVIRONMENTS[name]


@pytest.mark.parametrize("name", HANDLERS)
def test_a_function_may_do_what_it_must_and_nothing_else(template: Synthesized, name: str) -> None:
    log = f"{name.replace('-', '')}log"
    always = {
        ("logs:CreateLogStream", log),
        ("logs:PutLogEvents", log),
        ("xray:PutTraceSegments", "*"),
        ("xray:PutTelemetryRecords", "*"),
    }

    assert _permissions(template, name) == PERMISSIONS[name] | always


def test_nothing_but_these_policies_grants_anything(template: Synthesized) -> None:
    roles = template.all("AWS::IAM::Role")

    assert len(roles) == len(template.all("AWS::IAM::Policy")) == len(HANDLERS)
    for role in roles.values():
        assert set(role["Properties"]) == {"AssumeRolePolicyDocument"}
        [statement] = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}
    assert not template.all("AWS::IAM::ManagedPolicy")


WRITERS = ("publish", "record", "query", "manage", "export", "retain", "erase")


def test_only_two_functions_can_remove_an_event_and_only_one_can_change_a_record(
    template: Synthesized,
) -> None:
    assert _writing(template, "events") == {
        *((name, "dynamodb:PartiQLInsert") for name in WRITERS),
        ("retain", "dynamodb:PartiQLDelete"),
        ("retain", "dynamodb:PartiQLUpdate"),  # of its expiry: `CONDITIONS` has it
        ("erase", "dynamodb:PartiQLDelete"),
        ("erase", "dynamodb:UpdateItem"),
    }


def test_who_sets_marks_can_clear_none_and_who_reads_digests_changes_none(
    template: Synthesized,
) -> None:
    assert _writing(template, "digests") == {
        *((name, "dynamodb:PartiQLInsert") for name in WRITERS),
        ("retain", "dynamodb:BatchWriteItem"),
        ("erase", "dynamodb:BatchWriteItem"),
        ("seal", "dynamodb:UpdateItem"),
        ("seal", "dynamodb:BatchWriteItem"),
    }


@pytest.mark.parametrize(
    ("name", "queue", "batch", "concurrency"),
    [
        ("record", "inbox", 100, 50),
        ("export-worker", "exportsqueue", 1, 32),
        ("erase", "erasures", 1, 4),
    ],
)
def test_a_worker_reports_each_message_that_failed(
    template: Synthesized, name: str, queue: str, batch: int, concurrency: int
) -> None:
    queue_arn = {"Fn::GetAtt": [template.id("AWS::SQS::Queue", queue), "Arn"]}
    [mapping] = [
        source["Properties"]
        for source in template.all("AWS::Lambda::EventSourceMapping").values()
        if source["Properties"]["EventSourceArn"] == queue_arn
    ]

    target = template.body["Resources"][mapping["FunctionName"]["Ref"]]["Properties"]
    assert target["Handler"] == HANDLERS[name]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BatchSize"] == batch
    # Without a window, Lambda takes no more than 10 messages at once.
    assert batch <= 10 or mapping["MaximumBatchingWindowInSeconds"] >= 1
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": concurrency}
    # Lambda refuses a mapping whose queue hands a message out again while the
    # function may still be at it.
    visibility = template.one("AWS::SQS::Queue", queue)["Properties"]["VisibilityTimeout"]
    assert visibility >= target["Timeout"] * (6 if batch > 1 else 1)


def test_lambda_lets_go_on_who_sends_to_the_queue_that_invokes_it_and_no_other(
    template: Synthesized,
) -> None:
    """It drops whatever else has gone around 16 times."""
    handlers = {handler: name for name, handler in HANDLERS.items()}
    sending = {
        name
        for source in template.all("AWS::Lambda::EventSourceMapping").values()
        for function in [template.body["Resources"][source["Properties"]["FunctionName"]["Ref"]]]
        for name in [handlers[function["Properties"]["Handler"]]]
        for queue in [_resource(source["Properties"]["EventSourceArn"])]
        if ("sqs:SendMessage", queue) in _permissions(template, name)
    }

    allowed = {
        name: function["RecursiveLoop"]
        for name, function in template.functions().items()
        if "RecursiveLoop" in function
    }
    assert allowed == dict.fromkeys(sending, "Allow")
    assert sending == {"export-worker", "erase"}


def test_no_writer_works_longer_than_a_minute(template: Synthesized) -> None:
    functions = template.functions()

    assert max(functions[name]["Timeout"] for name in ("publish", "record", "export")) <= 60


def test_no_run_of_seal_outlives_what_clearing_marks_relies_on(template: Synthesized) -> None:
    from auditlog import clock, digest

    assert template.functions()["seal"]["Timeout"] == digest.MAX_RUN // clock.SECOND


def test_a_function_of_the_api_answers_before_the_gateway_gives_up(template: Synthesized) -> None:
    functions = template.functions()

    answering = ("publish", "query", "manage", "export", "console")
    assert max(functions[name]["Timeout"] for name in answering) < 30


@pytest.mark.parametrize(
    ("name", "rate", "seconds", "function"),
    [
        ("everyfifteenminutes", "15 minutes", 900, "retain"),
        ("everyfiveminutes", "5 minutes", 300, "seal"),
    ],
)
def test_what_is_scheduled_runs_this_often_and_leaves_the_rest_to_the_next_run(
    template: Synthesized, name: str, rate: str, seconds: int, function: str
) -> None:
    rule = template.one("AWS::Events::Rule", name)["Properties"]

    assert rule["ScheduleExpression"] == f"rate({rate})"
    assert rule["State"] == "ENABLED"
    [target] = rule["Targets"]
    scheduled = template.body["Resources"][target["Arn"]["Fn::GetAtt"][0]]["Properties"]
    assert scheduled["Handler"] == HANDLERS[function]
    assert target["RetryPolicy"] == {
        "MaximumEventAgeInSeconds": seconds,
        "MaximumRetryAttempts": 0,
    }


@pytest.mark.parametrize("name", HANDLERS)
def test_what_a_function_may_do_only_to_some_of_a_table(template: Synthesized, name: str) -> None:
    assert _conditions(template, name) == CONDITIONS.get(name, {})


def test_nothing_else_is_scheduled(template: Synthesized) -> None:
    assert len(template.all("AWS::Events::Rule")) == 2


def _writing(template: Synthesized, table: str) -> set[tuple[str, str]]:
    """Who may do what to a table, other than read it."""
    reading = {"dynamodb:Query", "dynamodb:GetItem", "dynamodb:BatchGetItem"}
    return {
        (name, action)
        for name in HANDLERS
        for action, resource in _permissions(template, name)
        if resource == table and action not in reading
    }


def _permissions(template: Synthesized, name: str) -> set[tuple[str, str]]:
    role = template.functions()[name]["Role"]["Fn::GetAtt"][0]
    found = set[tuple[str, str]]()
    for policy in template.all("AWS::IAM::Policy").values():
        if {"Ref": role} not in policy["Properties"]["Roles"]:
            continue
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            assert set(statement) <= {"Action", "Effect", "Resource", "Condition"}
            assert statement["Effect"] == "Allow"
            found |= {
                (str(action), _resource(resource))
                for action in _listed(statement["Action"])
                for resource in _listed(statement["Resource"])
            }
    return found


def _conditions(template: Synthesized, name: str) -> dict[tuple[str, str], Any]:
    """What a function may do only under a condition."""
    role = template.functions()[name]["Role"]["Fn::GetAtt"][0]
    return {
        (str(action), _resource(resource)): statement["Condition"]
        for policy in template.all("AWS::IAM::Policy").values()
        if {"Ref": role} in policy["Properties"]["Roles"]
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if "Condition" in statement
        for action in _listed(statement["Action"])
        for resource in _listed(statement["Resource"])
    }


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _resource(value: Any) -> str:
    """A resource of a statement by the name that the stack gives it."""
    if isinstance(value, str):
        return value
    if "Ref" in value:
        return str(value["Ref"][:-8])
    if "Fn::GetAtt" in value:
        return str(value["Fn::GetAtt"][0][:-8])
    [separator, [inner, rest]] = value["Fn::Join"]
    assert separator == ""
    return _resource(inner) + str(rest)
