"""What each command means: functions from the state and a command to events. They change nothing themselves."""
