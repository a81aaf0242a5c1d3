package sealedsecret

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	bitnamiv1 "github.com/tiphys-io/tiphys/api/bitnami/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/sealing"
)

// report writes the status when its meaning changed, and tells in an event what has not been told.
func (r *Reconciler) report(ctx context.Context, s *scope, failed *failure) error {
	r.announce(s, failed)
	if !r.Options.UpdateStatus {
		return nil
	}
	base := s.object.DeepCopy()
	s.object.Status = s.status(failed, metav1.NewTime(r.Now()))
	if equality.Semantic.DeepEqual(base.Status, s.object.Status) {
		return nil
	}
	if err := r.Client.Status().Patch(ctx, s.object, client.MergeFrom(base)); err != nil {
		return client.IgnoreNotFound(fmt.Errorf("writing the status: %w", err))
	}
	return nil
}

// announce records the event of an outcome, once for each outcome and generation.
func (r *Reconciler) announce(s *scope, failed *failure) {
	observed := s.memory.observed
	if observed == 0 {
		observed = s.object.Status.ObservedGeneration
	}
	fresh := observed != s.object.Generation
	s.memory.observed = s.object.Generation
	switch synced := conditionOf(s.object.Status, bitnamiv1.ConditionSynced); {
	case failed == nil:
		s.memory.reported = ""
		if s.wrote || fresh {
			r.Recorder.Event(s.object, corev1.EventTypeNormal, reasonUnsealed, "SealedSecret unsealed successfully")
		}
	case fresh, s.memory.reported != failed.message && (s.memory.reported != "" || synced == nil || synced.Message != failed.status):
		s.memory.reported = failed.message
		r.Recorder.Event(s.object, corev1.EventTypeWarning, failed.event, failed.message)
	default:
		s.memory.reported = failed.message
	}
}

// status is the status after an outcome. The times of a condition change with what it says, and the update time also with the
// generation that it speaks of (contract A6).
func (s *scope) status(failed *failure, now metav1.Time) bitnamiv1.SealedSecretStatus {
	old := s.object.Status
	status := *old.DeepCopy()
	status.ObservedGeneration = s.object.Generation
	synced := bitnamiv1.SealedSecretCondition{Type: bitnamiv1.ConditionSynced, Status: metav1.ConditionTrue}
	if failed != nil {
		synced.Status, synced.Message = metav1.ConditionFalse, failed.status
	}
	status.Conditions = []bitnamiv1.SealedSecretCondition{timed(old, synced, old.ObservedGeneration != s.object.Generation, now)}
	switch kept := conditionOf(old, bitnamiv1.ConditionSealedWithNewestKey); {
	case failed == nil && s.memory.record != nil:
		status.Conditions = append(status.Conditions, timed(old, newestKey(s.memory.record, s.ring), false, now))
		// That somebody wrote to the Secret without changing what was sealed is not worth a write: it costs one more look after
		// a restart.
		if s.unsealed || old.Unsealed == nil {
			status.Unsealed = s.memory.record.DeepCopy()
		}
	case kept != nil:
		status.Conditions = append(status.Conditions, *kept)
	}
	return status
}

// newestKey says whether all items are sealed with the newest key, and which are not.
func newestKey(record *bitnamiv1.UnsealedRecord, ring *sealing.Ring) bitnamiv1.SealedSecretCondition {
	condition := bitnamiv1.SealedSecretCondition{Type: bitnamiv1.ConditionSealedWithNewestKey, Status: metav1.ConditionTrue}
	newest := ring.Newest()
	var older []string
	for _, use := range record.Keys {
		if newest == nil || use.Fingerprint != newest.Fingerprint {
			older = append(older, fmt.Sprintf("%s (%s)", use.Fingerprint, strings.Join(use.Items, ", ")))
		}
	}
	if len(older) > 0 {
		condition.Status, condition.Message = metav1.ConditionFalse, "sealed with older keys: "+strings.Join(older, "; ")
	}
	return condition
}

// timed gives a condition its times: those of the old one where it says the same.
func timed(old bitnamiv1.SealedSecretStatus, condition bitnamiv1.SealedSecretCondition, fresh bool, now metav1.Time) bitnamiv1.SealedSecretCondition {
	condition.LastUpdateTime, condition.LastTransitionTime = now, now
	before := conditionOf(old, condition.Type)
	if before == nil || before.Status != condition.Status {
		return condition
	}
	condition.LastTransitionTime = before.LastTransitionTime
	if !fresh && before.Message == condition.Message {
		condition.LastUpdateTime = before.LastUpdateTime
	}
	return condition
}

func conditionOf(status bitnamiv1.SealedSecretStatus, kind bitnamiv1.SealedSecretConditionType) *bitnamiv1.SealedSecretCondition {
	i := slices.IndexFunc(status.Conditions, func(c bitnamiv1.SealedSecretCondition) bool { return c.Type == kind })
	if i < 0 {
		return nil
	}
	return &status.Conditions[i]
}
