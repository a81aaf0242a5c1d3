package health

func apiService(obj *fields) Status {
	c, ok := obj.condition("Available")
	switch {
	case !ok:
		return progressing("Waiting to be processed")
	case c.isTrue():
		return healthy("%s: %s", c.reason, c.message)
	default:
		return progressing("%s: %s", c.reason, c.message)
	}
}
