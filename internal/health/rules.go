package health

import (
	"fmt"
	"strings"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// The rules of this file are those of kinds that the table of entries cannot describe.

// orGeneral is the general reading of an object for which a rule has nothing to say.
func orGeneral(obj *fields) Status {
	if status := general(obj.object, &entry{}); status != nil {
		return *status
	}
	return progressing("Waiting for the status of %s", obj.text("kind"))
}

func advancedCronJob(obj *fields) Status {
	switch {
	case !obj.has("status"):
		return progressing("Waiting for the status of AdvancedCronJob")
	case obj.flag("spec", "paused"):
		return Status{argov1.HealthSuspended, "AdvancedCronJob is paused"}
	case len(obj.list("status", "active")) > 0:
		return progressing("AdvancedCronJob has active jobs")
	case obj.text("status", "lastScheduleTime") == "":
		return degraded("AdvancedCronJob has not run")
	default:
		return healthy("AdvancedCronJob has run")
	}
}

// cassandraCluster counts the members of each rack.
func cassandraCluster(obj *fields) Status {
	racks, _ := obj.value("status", "racks").(map[string]any)
	if len(racks) == 0 {
		return progressing("Waiting for the status of Cluster")
	}
	for name, rack := range racks {
		state, _ := rack.(map[string]any)
		wanted, _ := number(state, "members")
		if ready, _ := number(state, "readyMembers"); ready < wanted {
			return progressing("%d of %d members of rack %s are ready", ready, wanted, name)
		}
	}
	return healthy("all members are ready")
}

func machineHealthCheck(obj *fields) Status {
	wanted, counted := number(obj.object, "status", "expectedMachines")
	if !counted {
		return orGeneral(obj)
	}
	if well := obj.integer("status", "currentHealthy"); well < wanted {
		return degraded("%d of %d machines are healthy", well, wanted)
	}
	return healthy("%d machines are healthy", wanted)
}

// openTelemetryCollector reads status.scale.statusReplicas, "ready/wanted". A sidecar has no pods of its own.
func openTelemetryCollector(obj *fields) Status {
	if obj.text("spec", "mode") == "sidecar" {
		return healthy("The collector runs beside other containers")
	}
	ready, wanted, ok := fraction(obj.value("status", "scale", "statusReplicas"))
	switch {
	case !ok:
		return progressing("Waiting for the status of OpenTelemetryCollector")
	case ready >= wanted:
		return healthy("%d of %d replicas are ready", ready, wanted)
	case ready == 0:
		return degraded("%d of %d replicas are ready", ready, wanted)
	default:
		return progressing("%d of %d replicas are ready", ready, wanted)
	}
}

// subscription is that of the Operator Lifecycle Manager. An upgrade that waits for the user's approval leaves what is
// installed as it is.
func subscription(obj *fields) Status {
	for _, c := range obj.conditions() {
		if !c.isTrue() {
			continue
		}
		switch c.kind {
		case "CatalogSourcesUnhealthy", "InstallPlanFailed", "ResolutionFailed":
			return degraded("%s: %s", c.kind, c.message)
		}
	}
	approval, _ := obj.condition("InstallPlanPending")
	state := obj.text("status", "state")
	manual := obj.text("spec", "installPlanApproval") == "Manual" && approval.isTrue() && approval.reason == "RequiresApproval"
	switch {
	case state == "AtLatestKnown":
		return healthy("%s", state)
	case state == "UpgradePending" && manual && obj.text("status", "installedCSV") != "":
		return healthy("%s, which waits for approval", state)
	default:
		return progressing("%s", strings.TrimSpace("Waiting for the latest version "+state))
	}
}

// managedPolicy is the Policy of Open Cluster Management: without a verdict it may apply nowhere.
func managedPolicy(obj *fields) Status {
	placed := len(obj.list("status", "placement")) > 0
	switch compliant := obj.text("status", "compliant"); {
	case obj.flag("spec", "disabled"):
		return healthy("Policy is disabled")
	case compliant == "Compliant":
		return healthy("%s", compliant)
	case compliant == "NonCompliant":
		return degraded("%s", compliant)
	case compliant == "" && placed && !obj.has("status", "status"):
		return healthy("No cluster matches this policy")
	default:
		return progressing("Waiting for the status of Policy")
	}
}

// resourceBinding is healthy when the object is applied, and not unhealthy, in every cluster that reports on it.
func resourceBinding(obj *fields) Status {
	if generation, ok := number(obj.object, "status", "schedulerObservedGeneration"); ok && generation < obj.integer("metadata", "generation") {
		return progressing("Waiting for the scheduler to observe the latest change")
	}
	applied, _ := obj.condition("FullyApplied")
	reports := obj.list("status", "aggregatedStatus")
	if !applied.isTrue() || len(reports) == 0 {
		return progressing("Waiting for all clusters to apply the object")
	}
	for _, report := range reports {
		if !report.flag("applied") || report.text("health") == "Unhealthy" {
			return degraded("unhealthy in cluster %s", report.text("clusterName"))
		}
	}
	return healthy("")
}

// reconciled is the general reading of the conditions of the GitOps Promoter; ok tells that they are well.
func reconciled(obj *fields) (status Status, ok bool) {
	reading := general(obj.object, &entry{only: fromConditions})
	if reading == nil {
		return progressing("Waiting for the status of %s", obj.text("kind")), false
	}
	return *reading, reading.Status == argov1.HealthHealthy
}

// promotionStrategy is healthy when each environment runs what is proposed for it.
func promotionStrategy(obj *fields) Status {
	status, ok := reconciled(obj)
	if !ok {
		return status
	}
	environments := obj.list("status", "environments")
	if len(environments) == 0 {
		return degraded("The strategy has no environments")
	}
	proposals := map[string]bool{}
	for _, environment := range environments {
		branch := environment.text("branch")
		active, proposed := environment.text("active", "dry", "sha"), environment.text("proposed", "dry", "sha")
		noted := environment.text("proposed", "note", "drySha")
		if noted == "" {
			noted = proposed
		}
		switch {
		case active == "" || proposed == "":
			return progressing("Waiting for the commits of environment %s", branch)
		case active != proposed:
			return progressing("Environment %s is at %.7s, %.7s is proposed", branch, active, proposed)
		}
		proposals[noted] = true
	}
	if len(proposals) > 1 {
		return progressing("The environments have different proposals")
	}
	return status
}

// webRequestCommitStatus is as well as the phases that it reports.
func webRequestCommitStatus(obj *fields) Status {
	status, ok := reconciled(obj)
	if !ok {
		return status
	}
	for _, environment := range obj.list("status", "environments") {
		switch branch := environment.text("branch"); environment.text("phase") {
		case "failure":
			return degraded("The request failed for %s", branch)
		case "pending":
			status = progressing("The request is pending for %s", branch)
		}
	}
	return status
}

func argoCDCommitStatus(obj *fields) Status {
	status, ok := reconciled(obj)
	if ok && len(obj.list("status", "applicationsSelected")) == 0 {
		return degraded("No application is selected")
	}
	if ok {
		status.Message = fmt.Sprintf("%d applications are tracked", len(obj.list("status", "applicationsSelected")))
	}
	return status
}
