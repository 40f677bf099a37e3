"""Business metrics, as log lines in CloudWatch's embedded metric format.

See https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format.html
"""

from aws_lambda_powertools import single_metric
from aws_lambda_powertools.metrics import MetricUnit

from shared.logs import logger

_NAMESPACE = "TaskApi"


def count(name: str) -> None:
    """Count that something happened once. The dimension `service` is the stack's name."""
    try:
        with single_metric(name=name, unit=MetricUnit.Count, value=1, namespace=_NAMESPACE):
            return
    except Exception:
        logger.exception("a metric could not be written")  # which is no reason to fail a request
