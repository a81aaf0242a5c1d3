package operator

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Arguments and variables of Sealed Secrets are taken as they are (contract A4 to A6).
func TestSealedSecretOptions(t *testing.T) {
	got, err := parse(t, map[string]string{"SEALED_SECRETS_KEY_RENEW_PERIOD": "0", "SEALED_SECRETS_RATE_LIMIT": "7", "SEALED_SECRETS_ADDITIONAL_NAMESPACES": "a,b"},
		"--controllers=sealedsecret", "--key-prefix=mine-", "--key-size=2048", "--privatekey-labels=a=1,b=2", "--key-order-priority=SecretCreationTimestamp",
		"--key-cutoff-time=Tue, 24 Nov 2026 10:00:00 +0000", "--log-level=warn", "--log-format=text", "--rate-limit-burst=3",
		"--watch-for-secrets", "--max-unseal-retries=5", "--old-gc-behavior=false", "--kubeclient-qps=5", "--log-info-stdout")
	if err != nil {
		t.Fatal(err)
	}
	if got.runs(applicationController) || !got.runs(sealedSecretController) || got.LogLevel != "warn" || got.LogFormat != "text" {
		t.Errorf("controllers %v, log %s %s", got.Controllers, got.LogLevel, got.LogFormat)
	}
	o := got.SealedSecrets
	if o.KeyRenewPeriod != 0 || o.RateLimit != 7 || o.RateLimitBurst != 3 || o.KeyPrefix != "mine-" || o.KeySize != 2048 {
		t.Errorf("options %+v", o)
	}
	if diff := cmp.Diff(map[string]string{"a": "1", "b": "2"}, o.KeyLabels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a", "b"}, o.AdditionalNamespaces); diff != "" {
		t.Errorf("namespaces (-want +got):\n%s", diff)
	}
	if at, err := o.cutoff(); err != nil || !at.Equal(time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("cut-off %s, %v", at, err)
	}
	if period, err := parse(t, nil, "--rotate-period=1h"); err != nil || period.SealedSecrets.KeyRenewPeriod != time.Hour {
		t.Errorf("the former name of key-renew-period: %v", err)
	}
}

func TestSealedSecretOptionsThatMakeNoSense(t *testing.T) {
	for _, tc := range [][2]string{
		{"--key-size=512", "key-size is 512"},
		{"--key-prefix=No_Name", "key-prefix"},
		{"--key-order-priority=age", "CertNotBefore"},
		{"--key-cutoff-time=yesterday", "date -R"},
		{"--label-selector=a in", "label-selector"},
		{"--rate-limit=0", "rate-limit"},
		{"--controllers=sealed", "sealedsecret"},
		{"--controllers=", "no controller"},
		{"--key-renew-period=-1h", "key-renew-period"},
	} {
		if _, err := parse(t, nil, tc[0]); err == nil || !strings.Contains(err.Error(), tc[1]) {
			t.Errorf("%s: error %v, want %q in it", tc[0], err, tc[1])
		}
	}
	if _, err := parse(t, nil, "--controllers=sealedsecret", "--sealed-secrets=false"); err == nil {
		t.Error("nothing is to run, and nobody says so")
	}
	if _, err := parse(t, nil, "--sealed-secrets=false", "--key-size=1"); err != nil {
		t.Errorf("options of what does not run: %v", err)
	}
}
