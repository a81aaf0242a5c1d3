package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tiphys-io/tiphys/test/fixture"
)

// lifetime is the longest that an operator lives on before it is killed.
const lifetime = 1500 * time.Millisecond

// killsPerRound is how often the operator is killed while one commit is rolled out.
const killsPerRound = 5

// kills ends the operator at random moments, as kill -9 does.
func kills(ctx context.Context, w *world, s settings) error {
	f := w.newFleet("kill", min(s.apps, 50))
	if err := f.create(ctx); err != nil {
		return err
	}
	if _, err := f.converged(ctx, firstSync); err != nil {
		return err
	}
	var longest time.Duration
	for killed := 0; killed < s.kills; {
		if err := f.commit(); err != nil {
			return err
		}
		for range min(killsPerRound, s.kills-killed) {
			if err := f.refresh(ctx); err != nil {
				return err
			}
			if err := pause(ctx, time.Duration(rand.Int64N(int64(lifetime)))); err != nil { //nolint:gosec // G404: chance, no secret.
				return err
			}
			w.operator.process.Kill()
			killed++
			if err := w.operator.start(); err != nil {
				return err
			}
		}
		took, err := f.converged(ctx, recovery)
		if err != nil {
			w.within(fmt.Sprintf("after %d kills: converged", killed), took, err, recovery)
			return f.judge()
		}
		longest = max(longest, took)
	}
	w.within(fmt.Sprintf("%d kills: converged at the latest", s.kills), longest, nil, recovery)
	return f.judge()
}

// frozenLeader freezes the leader of two until its lease is over, has the other take over, and wakes the first.
func frozenLeader(ctx context.Context, w *world, s settings) error {
	names := []string{"replica-one", "replica-two"}
	replicas, err := w.startReplicas(ctx, names)
	if err != nil {
		return err
	}
	w.operator = replicas[names[0]]
	f := w.newFleet("lead", min(s.apps, 100))
	if err := f.create(ctx); err != nil {
		return err
	}
	if _, err := f.converged(ctx, firstSync); err != nil {
		return err
	}
	leader, err := w.leader(ctx, names)
	if err != nil {
		return err
	}
	if err := f.rollOut(ctx); err != nil {
		return err
	}
	// In the middle of the work, so that there is something to go on with on waking.
	if err := pause(ctx, 200*time.Millisecond); err != nil {
		return err
	}
	if err := replicas[leader].process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	took, err := f.converged(ctx, recovery)
	w.within("leader frozen in the middle of a sync: the other converged", took, err, recovery)
	lease := &coordinationv1.Lease{}
	if err := w.cluster.Get(ctx, client.ObjectKey{Namespace: controlNamespace, Name: "tiphys.argoproj.io"}, lease); err != nil {
		return err
	}
	if lease.Spec.AcquireTime == nil {
		return fmt.Errorf("nobody leads: %+v", lease.Spec)
	}
	if err := f.disturb(ctx); err != nil {
		return err
	}
	if err := w.wake(replicas[leader], lease.Spec.AcquireTime.Time); err != nil {
		return err
	}
	w.operator = replicas[names[1-slices.Index(names, leader)]]
	took, err = f.converged(ctx, recovery)
	w.within("afterwards: converged", took, err, recovery)
	return nil
}

func (w *world) startReplicas(ctx context.Context, names []string) (map[string]*operator, error) {
	replicas := map[string]*operator{}
	for _, name := range names {
		o, err := w.newOperator(ctx, name)
		if err != nil {
			return nil, err
		}
		if err := o.start("--leader-elect"); err != nil {
			return nil, err
		}
		replicas[name] = o
	}
	return replicas, nil
}

// wake lets a frozen leader go on, and looks at what it does after another has led since a time.
func (w *world) wake(o *operator, since time.Time) error {
	if err := o.process.Signal(syscall.SIGCONT); err != nil {
		return err
	}
	select {
	case <-o.process.Done():
		w.found("the woken leader", "ended", "ends, since it no longer leads", true)
	case <-time.After(recovery):
		w.found("the woken leader", "still runs", "ends, since it no longer leads", false)
	}
	all, err := w.writes(o.user)
	if err != nil {
		return err
	}
	late := 0
	for _, r := range all {
		if r.Received.After(since) && r.Resource != "leases" {
			late++
		}
	}
	w.found("writes after the lead was lost", fmt.Sprint(late), "0", late == 0)
	return nil
}

// leader is which of the users holds the lease: the one that writes.
func (w *world) leader(ctx context.Context, names []string) (string, error) {
	leader := ""
	_, err := await(ctx, recovery, func(context.Context) (string, error) {
		for _, name := range names {
			all, err := w.writes(name)
			if err != nil {
				return "", err
			}
			if slices.ContainsFunc(all, func(r fixture.Request) bool { return r.Resource == "applications" }) {
				leader = name
				return "", nil
			}
		}
		return "nobody writes", nil
	})
	return leader, err
}
