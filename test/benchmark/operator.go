package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tiphys-io/tiphys/test/fixture"
)

// operator is the operator as users run it, with its default settings.
type operator struct {
	bench   *bench
	process *fixture.Process
	metrics string // URL
	before  int64  // offset in the audit log of what it asks for
}

// startOperator starts the operator and waits until it works.
func (b *bench) startOperator(ctx context.Context) (*operator, error) {
	b.started++
	port, err := fixture.FreePort()
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(b.folder, fmt.Sprintf("operator-%d", b.started))
	if err := os.Mkdir(folder, 0o700); err != nil {
		return nil, fmt.Errorf("folder of the operator: %w", err)
	}
	arguments := []string{
		"operator", "--cache-dir=" + filepath.Join(folder, "git"), fmt.Sprintf("--metrics-bind-address=127.0.0.1:%d", port),
		"--health-probe-bind-address=0", "--webhook-bind-address=0", "--sealed-secrets=false",
	}
	if b.options.profiles != "" {
		arguments = append(arguments, "--profile")
	}
	binary, err := filepath.Abs(b.options.binary)
	if err != nil {
		return nil, fmt.Errorf("the operator: %w", err)
	}
	command := exec.Command(binary, slices.Concat(arguments, b.options.arguments)...)
	command.Env = append(os.Environ(), "KUBECONFIG="+b.plane.Kubeconfig())
	o := &operator{bench: b, metrics: fmt.Sprintf("http://127.0.0.1:%d/metrics", port)}
	if o.before, err = b.auditSize(); err != nil {
		return nil, err
	}
	log := filepath.Join(folder, "log")
	if b.options.profiles != "" {
		log = filepath.Join(b.options.profiles, fmt.Sprintf("operator-%d.log", b.started))
	}
	if o.process, err = fixture.StartProcess(log, command); err != nil {
		return nil, err
	}
	err = until(ctx, "the operator to work", patience, 20*time.Millisecond, func(context.Context) (bool, error) {
		text, err := os.ReadFile(log)
		return bytes.Contains(text, []byte("Starting workers")), errors.Join(err, o.alive())
	})
	if err != nil {
		o.process.Stop()
		return nil, err
	}
	return o, nil
}

// alive tells why the operator has ended, if it has.
func (o *operator) alive() error {
	select {
	case <-o.process.Done():
		return errors.Join(errors.New("the operator has ended"), o.process.Err())
	default:
		return nil
	}
}

// metric is the sum of a metric over all labels that contain a text; none counts as 0.
func (o *operator) metric(ctx context.Context, name, label string) (sum float64, err error) {
	body, err := o.get(ctx, o.metrics)
	if err != nil {
		return 0, err
	}
	defer func() { _ = body.Close() }()
	lines := bufio.NewScanner(body)
	for lines.Scan() {
		rest, found := strings.CutPrefix(lines.Text(), name)
		if !found || rest == "" || (rest[0] != ' ' && rest[0] != '{') || !strings.Contains(rest, label) {
			continue
		}
		value, err := strconv.ParseFloat(rest[strings.LastIndex(rest, " ")+1:], 64)
		if err != nil {
			return 0, fmt.Errorf("metric %s: %w", name, err)
		}
		sum += value
	}
	return sum, lines.Err()
}

func (o *operator) get(ctx context.Context, url string) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("%s answers %s", url, response.Status), response.Body.Close())
	}
	return response.Body, nil
}

// profile saves a profile of the operator, if profiles are wanted: "heap", or "profile" for that many seconds of CPU.
func (o *operator) profile(ctx context.Context, scenario, kind string, seconds int) error {
	if o.bench.options.profiles == "" {
		return nil
	}
	url := "http://127.0.0.1:6060/debug/pprof/" + kind
	if seconds > 0 {
		url += fmt.Sprintf("?seconds=%d", seconds)
	}
	body, err := o.get(ctx, url)
	if err != nil {
		return fmt.Errorf("profile of %s: %w", scenario, err)
	}
	defer func() { _ = body.Close() }()
	data, err := io.ReadAll(body)
	if err != nil {
		return fmt.Errorf("profile of %s: %w", scenario, err)
	}
	return os.WriteFile(filepath.Join(o.bench.options.profiles, scenario+"-"+kind+".pprof"), data, 0o644)
}

// stop ends the operator and waits for its end.
func (o *operator) stop() error {
	o.process.Stop()
	return o.process.Err()
}

// counts are the operator's requests, as the audit log tells; leases and events are not in it.
type counts struct {
	applications int // writes to Applications
	managed      int // writes to what the applications manage
	dryRuns      int
}

// counts counts the requests since an offset in the audit log, and gives the offset of what comes later.
func (o *operator) counts(since int64) (c counts, next int64, err error) {
	requests, next, err := fixture.ReadAuditLog(o.bench.auditLog(), since, "/tiphys")
	if err != nil {
		return c, next, err
	}
	for _, r := range requests {
		switch {
		case !isOperator(r):
		case r.DryRun:
			c.dryRuns++
		case !r.Writes() || r.Resource == "appprojects":
		case r.Resource == "applications" && r.Namespace == control:
			c.applications++
		default:
			c.managed++
		}
	}
	return c, next, nil
}

func (b *bench) auditSize() (int64, error) {
	info, err := os.Stat(b.auditLog())
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("audit log: %w", err)
	}
	return info.Size(), nil
}

// calm is how long nothing must happen for the operator to count as quiet.
func (b *bench) calm() time.Duration {
	return max(time.Duration(float64(2*time.Second)*min(b.options.scale, 1)), 500*time.Millisecond)
}

// quiet waits until the operator does nothing any more, and tells when it did something last.
func (o *operator) quiet(ctx context.Context) (last time.Time, err error) {
	last = time.Now()
	usage, err := o.process.Usage()
	if err != nil {
		return last, err
	}
	_, offset, err := o.counts(o.before)
	if err != nil {
		return last, err
	}
	const interval = 100 * time.Millisecond
	err = until(ctx, "the operator to be quiet", 15*time.Minute, interval, func(context.Context) (bool, error) {
		now, err := o.process.Usage()
		if err != nil {
			return false, errors.Join(err, o.alive())
		}
		done, next, err := o.counts(offset)
		if err != nil {
			return false, err
		}
		// The kernel counts in steps of 10 ms; one of them is a heartbeat.
		if now.CPU-usage.CPU > interval/5 || done != (counts{}) {
			last = time.Now()
		}
		usage, offset = now, next
		return time.Since(last) > o.bench.calm(), nil
	})
	return last, err
}

// usage adds what the operator has used since a point to a row.
func (o *operator) usage(r *row, since fixture.Usage) error {
	now, err := o.process.Usage()
	if err != nil {
		return errors.Join(err, o.alive())
	}
	r.add(namePeak, float64(now.PeakBytes)/(1<<20), "MiB")
	r.add(nameCPU, (now.CPU - since.CPU).Seconds(), "s")
	return nil
}
