#!/bin/sh
# Print running, success or failed for a Slurm job id, without accounting.
# Other systems: qstat (SGE, PBS) or bjobs (LSF) in place of scontrol.
state=$(scontrol -o show job "$1" 2>/dev/null | sed -n 's/.*JobState=\([A-Z_]*\).*/\1/p')
case "$state" in
    COMPLETED) echo success ;;
    PENDING | RUNNING | CONFIGURING | COMPLETING | SUSPENDED | REQUEUED | PREEMPTED) echo running ;;
    "") scontrol ping >/dev/null 2>&1 && echo failed || echo running ;; # the controller is down: wait
    *) echo failed ;; # canceled, failed, out of time or memory, node lost
esac
