"""`make restore`: bring the tables of a stack that serves back to a point in time.

DynamoDB restores a table as a new one, beside it. So each is restored to a temporary table (`copies`), the
functions that write are switched off (`writers`), and what differs in the stack's own table is written and
deleted there (`differences`). The state of a run is in AWS: the temporary tables, whose names have the point
in time, tags of the first one (`marks`), and the functions that are off. So an interrupted run resumes when
the same command runs again, and of two runs the later one goes on alone.

The consumers of the tasks table's stream go on: paused, they would only be told later. `event_of` makes no
event of what a restore writes, and the cache is invalidated by the stream as by any other write.
"""
