"""The API as FastAPI, SQLAlchemy with asyncpg, and redis-py, on Lambda by Mangum."""

import os
import time
import uuid
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, HTTPException, Query
from mangum import Mangum
from pydantic import BaseModel, ConfigDict, Field
from redis.asyncio import Redis
from sqlalchemy import BigInteger, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Status = Literal["PENDING", "IN_PROGRESS", "COMPLETED"]

engine = create_async_engine(os.environ["DATABASE_URL"])
sessions = async_sessionmaker(engine, expire_on_commit=False)
cache = Redis.from_url(os.environ["REDIS_URL"] or "redis://localhost", decode_responses=True)
app = FastAPI()


class Base(DeclarativeBase):
    pass


class TaskRow(Base):
    __tablename__ = "tasks"

    id: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str | None]
    status: Mapped[str] = mapped_column(index=True)
    created_at: Mapped[int] = mapped_column(BigInteger, index=True)
    updated_at: Mapped[int] = mapped_column(BigInteger)


class NewTask(BaseModel):
    title: Annotated[str, Field(min_length=1, max_length=200)]
    description: Annotated[str | None, Field(max_length=10_000)] = None
    status: Status = "PENDING"


class Task(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: str
    title: str
    description: str | None
    status: Status
    created_at: int
    updated_at: int


async def session():
    async with sessions() as opened:
        yield opened


Session = Annotated[AsyncSession, Depends(session)]


@app.post("/tasks", status_code=201)
async def create_task(task: NewTask, session: Session) -> Task:
    now = int(time.time())
    row = TaskRow(id=str(uuid.uuid4()), created_at=now, updated_at=now, **task.model_dump())
    session.add(row)
    await session.commit()
    return Task.model_validate(row)


@app.get("/tasks")
async def list_tasks(session: Session, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> list[Task]:
    rows = await session.scalars(select(TaskRow).order_by(TaskRow.created_at.desc()).limit(limit))
    return [Task.model_validate(row) for row in rows]


@app.get("/tasks/{task_id}")
async def get_task(task_id: str, session: Session) -> Task:
    row = await session.get(TaskRow, task_id)
    if row is None:
        raise HTTPException(404)
    return Task.model_validate(row)


@app.post("/setup", status_code=204)
async def setup() -> None:
    """Make the table, for the benchmark."""
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)


handler = Mangum(app, lifespan="off")
