package health

func customResourceDefinition(obj *fields) Status {
	terminating, _ := obj.condition("Terminating")
	names, hasNames := obj.condition("NamesAccepted")
	schema, _ := obj.condition("NonStructuralSchema")
	established, _ := obj.condition("Established")
	switch {
	case terminating.isTrue():
		return progressing("CRD is terminating: %s", terminating.message)
	case obj.has("metadata", "deletionTimestamp"):
		return progressing("CRD is terminating")
	case len(obj.conditions()) == 0:
		return progressing("Status conditions not found")
	case hasNames && !names.isTrue():
		return degraded("CRD names have not been accepted: %s", names.message)
	case schema.isTrue():
		return degraded("Schema violations found: %s", schema.message)
	case established.isTrue():
		return healthy("CRD is healthy")
	case established.reason == "Installing":
		return progressing("CRD is being installed")
	default:
		return degraded("CRD is not established")
	}
}
