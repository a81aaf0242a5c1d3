package health

func ingress(obj *fields) Status {
	if hasAddress(obj) {
		return healthy("")
	}
	return progressing("")
}
