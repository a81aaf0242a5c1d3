package health

import "time"

func cronJob(obj *fields) Status {
	last, succeeded := obj.text("status", "lastScheduleTime"), obj.text("status", "lastSuccessfulTime")
	switch {
	case !obj.has("status"):
		return progressing("Waiting for CronJob")
	case obj.flag("spec", "suspend"):
		return healthy("CronJob is Suspended")
	case last == "":
		return healthy("CronJob has not been scheduled yet")
	case len(obj.list("status", "active")) > 0:
		return healthy("The job is running. Its last execution may not have been successful")
	case succeeded == "":
		return healthy("The CronJob never completed successfully. It may not be healthy")
	case obj.instant("status", "lastSuccessfulTime").Before(obj.instant("status", "lastScheduleTime")):
		return degraded("CronJob has not completed its last execution successfully")
	default:
		return healthy("CronJob has completed its last execution successfully")
	}
}

func (f *fields) instant(path ...string) time.Time {
	instant, err := time.Parse(time.RFC3339, f.text(path...))
	if err != nil && f.err == nil {
		f.err = err
	}
	return instant
}
