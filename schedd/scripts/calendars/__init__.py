"""Calendar files: found, read, and turned into calendars (see `schedd.timetable.calendar`)."""
