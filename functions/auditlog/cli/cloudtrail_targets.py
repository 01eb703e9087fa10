"""Which members of a CloudTrail record name a thing that was acted on, and what kind of thing.

Kinds are CloudFormation's resource type names, which CloudTrail uses itself. As all of the
mapping, these tables are part of an event's id (see `cloudtrail`): an entry that is added or
changed makes a second import of the records that it touches record them again.
"""

_PARAMETERS: dict[str, dict[str, str]] = {
    "cloudformation": {"stackName": "AWS::CloudFormation::Stack"},
    "cloudtrail": {
        "trailName": "AWS::CloudTrail::Trail",
        "trailARN": "AWS::CloudTrail::Trail",
        "s3BucketName": "AWS::S3::Bucket",
    },
    "dynamodb": {"tableName": "AWS::DynamoDB::Table"},
    "ec2": {
        "allocationId": "AWS::EC2::EIP",
        "groupId": "AWS::EC2::SecurityGroup",
        "imageId": "AWS::EC2::Image",
        "instanceId": "AWS::EC2::Instance",
        "internetGatewayId": "AWS::EC2::InternetGateway",
        "keyName": "AWS::EC2::KeyPair",
        "natGatewayId": "AWS::EC2::NatGateway",
        "networkAclId": "AWS::EC2::NetworkAcl",
        "networkInterfaceId": "AWS::EC2::NetworkInterface",
        "routeTableId": "AWS::EC2::RouteTable",
        "snapshotId": "AWS::EC2::Snapshot",
        "subnetId": "AWS::EC2::Subnet",
        "volumeId": "AWS::EC2::Volume",
        "vpcEndpointId": "AWS::EC2::VPCEndpoint",
        "vpcId": "AWS::EC2::VPC",
    },
    "ecr": {"repositoryName": "AWS::ECR::Repository"},
    "guardduty": {"detectorId": "AWS::GuardDuty::Detector"},
    "iam": {
        "groupName": "AWS::IAM::Group",
        "instanceProfileName": "AWS::IAM::InstanceProfile",
        "policyArn": "AWS::IAM::Policy",
        "policyName": "AWS::IAM::Policy",
        "roleName": "AWS::IAM::Role",
        "userName": "AWS::IAM::User",
    },
    "kms": {"keyId": "AWS::KMS::Key"},
    "lambda": {"functionName": "AWS::Lambda::Function"},
    "logs": {"logGroupName": "AWS::Logs::LogGroup"},
    "rds": {
        "dBClusterIdentifier": "AWS::RDS::DBCluster",
        "dBInstanceIdentifier": "AWS::RDS::DBInstance",
        "dBSnapshotIdentifier": "AWS::RDS::DBSnapshot",
        "dBSubnetGroupName": "AWS::RDS::DBSubnetGroup",
    },
    "s3": {"bucketName": "AWS::S3::Bucket"},
    "secretsmanager": {"secretId": "AWS::SecretsManager::Secret"},
    "sns": {"topicArn": "AWS::SNS::Topic"},
    "sqs": {"queueName": "AWS::SQS::Queue", "queueUrl": "AWS::SQS::Queue"},
    "ssm": {"documentName": "AWS::SSM::Document", "instanceId": "AWS::EC2::Instance"},
    "sts": {"roleArn": "AWS::IAM::Role"},
}

# A plain `name` says what it is a name of in the event's own name.
_NAMED: tuple[tuple[str, str, str], ...] = (
    ("cloudtrail", "Trail", "AWS::CloudTrail::Trail"),
    ("cloudtrail", "Logging", "AWS::CloudTrail::Trail"),
    ("secretsmanager", "Secret", "AWS::SecretsManager::Secret"),
    ("ssm", "Parameter", "AWS::SSM::Parameter"),
    ("ssm", "Document", "AWS::SSM::Document"),
)

_ARN_KINDS: dict[tuple[str, str], str] = {
    ("iam", "role"): "AWS::IAM::Role",
    ("iam", "user"): "AWS::IAM::User",
    ("kms", "key"): "AWS::KMS::Key",
    ("lambda", "function"): "AWS::Lambda::Function",
    ("secretsmanager", "secret"): "AWS::SecretsManager::Secret",
}


def target_type(service: str, member: str) -> str | None:
    """The kind of thing that this member of a request or an answer names, if it names one."""
    return _PARAMETERS.get(service, {}).get(member)


def named_type(service: str, event_name: str) -> str | None:
    """The kind of thing that a member called just `name` names in this event, if known."""
    for known, word, kind in _NAMED:
        if service == known and word in event_name:
            return kind
    return None


def generic_type(arn: str) -> str:
    """The kind that an ARN itself tells: AWS's name for it, else `service:kind`, else `arn`."""
    # arn:partition:service:region:account:resource
    _, _, service, _, _, resource = (arn.split(":", 5) + [""] * 5)[:6]
    if not resource:
        return "arn"
    kind = resource.replace("/", ":").partition(":")[0]
    return _ARN_KINDS.get((service, kind)) or f"{service}:{kind}"
