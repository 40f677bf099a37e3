"""The API in the style of aws-lambda-handler-cookbook: a Powertools resolver with validation, a tracer,
metrics and a logger, pydantic models in and out, and boto3's resource of the table behind a data-access class.

See https://github.com/ran-isenberg/aws-lambda-handler-cookbook
"""

import os
import time
import uuid
from typing import Annotated, Literal

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from boto3.dynamodb.conditions import Key
from pydantic import BaseModel, Field

Status = Literal["PENDING", "IN_PROGRESS", "COMPLETED"]

logger = Logger()
tracer = Tracer()
metrics = Metrics(namespace="Alternative")
app = APIGatewayRestResolver(enable_validation=True)


class NewTask(BaseModel):
    title: Annotated[str, Field(min_length=1, max_length=200)]
    description: Annotated[str | None, Field(max_length=10_000)] = None
    status: Status = "PENDING"


class Task(BaseModel):
    id: str
    title: str
    description: str | None
    status: Status
    created_at: int
    updated_at: int


class TaskEntry(Task):
    """A task as stored in the table."""

    pk: str
    created_by: str
    version: int

    def to_task(self) -> Task:
        times = {name: getattr(self, name) // 1_000_000 for name in ("created_at", "updated_at")}
        return Task(**{**self.model_dump(exclude={"pk", "created_by", "version"}), **times})


class TasksDal:
    def __init__(self, table_name: str) -> None:
        self.resource = boto3.resource("dynamodb")
        self.table = self.resource.Table(table_name)

    @tracer.capture_method
    def create(self, new: NewTask) -> Task:
        now, task_id = time.time_ns() // 1000, str(uuid.uuid4())
        entry = TaskEntry(
            pk=f"TASK#{task_id}",
            id=task_id,
            created_at=now,
            updated_at=now,
            created_by="them",
            version=1,
            **new.model_dump(),
        )
        title = {"pk": f"TITLE#{new.title}", "task_id": task_id}
        self.resource.meta.client.transact_write_items(
            TransactItems=[
                {
                    "Put": {
                        "TableName": self.table.name,
                        "Item": item,
                        "ConditionExpression": "attribute_not_exists(pk)",
                    }
                }
                for item in (entry.model_dump(), title)
            ]
        )
        return entry.to_task()

    @tracer.capture_method
    def get(self, task_id: str) -> Task | None:
        answer = self.table.get_item(Key={"pk": f"TASK#{task_id}"}, ConsistentRead=True)
        return TaskEntry.model_validate(answer["Item"]).to_task() if "Item" in answer else None

    @tracer.capture_method
    def list(self, limit: int) -> list[Task]:
        entries = [
            TaskEntry.model_validate(item)
            for status in ("PENDING", "IN_PROGRESS", "COMPLETED")
            for item in self.table.query(
                IndexName="status-created_at-index",
                KeyConditionExpression=Key("status").eq(status),
                ScanIndexForward=False,
                Limit=limit + 4,
            )["Items"]
        ]
        entries.sort(key=lambda entry: entry.created_at, reverse=True)
        return [entry.to_task() for entry in entries[:limit]]


dal = TasksDal(os.environ["TASKS_TABLE"])


@app.post("/tasks")
def create_task(task: NewTask) -> Response[Task]:
    created = dal.create(task)
    metrics.add_metric("TaskCreated", MetricUnit.Count, 1)
    return Response(201, "application/json", created)


@app.get("/tasks")
def list_tasks(limit: Annotated[int, Query(ge=1, le=100)] = 20) -> list[Task]:
    return dal.list(limit)


@app.get("/tasks/<task_id>")
def get_task(task_id: Annotated[str, Path()]) -> Response[Task | None]:
    task = dal.get(task_id)
    return Response(200 if task else 404, "application/json", task)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST)
@metrics.log_metrics
@tracer.capture_lambda_handler(capture_response=False)
def handler(event, context):
    return app.resolve(event, context)
