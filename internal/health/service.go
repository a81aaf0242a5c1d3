package health

func service(obj *fields) Status {
	if obj.text("spec", "type") == "LoadBalancer" && !hasAddress(obj) {
		return progressing("")
	}
	return healthy("")
}

// hasAddress tells whether a load balancer has announced an address.
func hasAddress(obj *fields) bool {
	return len(obj.list("status", "loadBalancer", "ingress")) > 0
}
