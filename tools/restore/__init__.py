"""`make restore`: restores the tables of a running stack to a point in time.

DynamoDB restores into a new table. So each table is restored to a temporary one (`copies`), the functions
that write are switched off (`writers`), and the differences are written to the stack's own table
(`differences`). The state of a run is in AWS: the temporary tables, whose names contain the point in time,
tags of the first one (`marks`), and the functions that are off. So an interrupted run resumes when you run
the same command again, and of two runs only the later one continues.

The consumers of the tasks table's stream keep running: a pause would only delay the events. `event_of` makes
no events for restored items, and the stream invalidates the cache as after any other write.
"""
