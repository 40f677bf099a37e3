"""The same calls to the same table with boto3, and nothing else: no validation, log, cache or errors."""

import json
import os
import time
import uuid

import boto3

client = boto3.client("dynamodb")
TABLE, HISTORY = os.environ["TASKS_TABLE"], os.environ["HISTORY_TABLE"]


def handler(event, context):
    method, task_id = event["httpMethod"], (event["pathParameters"] or {}).get("task_id")
    if method == "POST":
        return answer(201, create(json.loads(event["body"])))
    if task_id:
        item = client.get_item(TableName=TABLE, Key={"pk": {"S": f"TASK#{task_id}"}}, ConsistentRead=True)
        return answer(200, document(item["Item"])) if "Item" in item else answer(404, {})
    return answer(200, listed())


def create(new):
    task_id, now = str(uuid.uuid4()), str(time.time_ns() // 1000)
    item = {
        "pk": {"S": f"TASK#{task_id}"},
        "id": {"S": task_id},
        "title": {"S": new["title"]},
        "description": {"S": new["description"]} if "description" in new else {"NULL": True},
        "status": {"S": new.get("status", "PENDING")},
        "created_at": {"N": now},
        "updated_at": {"N": now},
        "created_by": {"S": "bare"},
        "version": {"N": "1"},
    }
    title = {"pk": {"S": f"TITLE#{new['title']}"}, "task_id": {"S": task_id}}
    changes = json.dumps({"title": [None, new["title"]], "description": [None, new.get("description")]})
    change = {
        "task_id": {"S": task_id},
        "version": {"N": "1"},
        "type": {"S": "task.created"},
        "at": {"N": now},
        "changes": {"S": changes},
        "by": {"S": "bare"},
    }
    absent = "attribute_not_exists(pk)"
    client.transact_write_items(
        TransactItems=[
            *(
                {"Put": {"TableName": TABLE, "Item": each, "ConditionExpression": absent}}
                for each in (item, title)
            ),
            {"Put": {"TableName": HISTORY, "Item": change}},
        ]
    )
    return document(item)


def listed():
    items = []
    for status in ("PENDING", "IN_PROGRESS", "COMPLETED"):
        items += client.query(
            TableName=TABLE,
            IndexName="status-created_at-index",
            KeyConditionExpression="#status = :status",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={":status": {"S": status}},
            ScanIndexForward=False,
            Limit=24,
        )["Items"]
    items.sort(key=lambda item: int(item["created_at"]["N"]), reverse=True)
    return [document(item) for item in items[:20]]


def document(item):
    return {
        "id": item["id"]["S"],
        "title": item["title"]["S"],
        "description": item["description"].get("S"),
        "status": item["status"]["S"],
        "created_at": int(item["created_at"]["N"]) // 1_000_000,
        "updated_at": int(item["updated_at"]["N"]) // 1_000_000,
    }


def answer(status, body):
    return {"statusCode": status, "body": json.dumps(body)}
