package settings_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tiphys-io/tiphys/internal/settings"
)

func TestWebhook(t *testing.T) {
	for _, tc := range []struct {
		reason string
		data   map[string]string
		want   settings.Webhook
		errs   int
	}{
		{"defaults", nil, settings.Webhook{MaxPayloadBytes: 10 << 20, Threshold: 10}, 0},
		{
			"all set",
			map[string]string{settings.KeyWebhookMaxPayload: "50", settings.KeyWebhookJitter: "30s", settings.KeyWebhookThreshold: "0"},
			settings.Webhook{MaxPayloadBytes: 50 << 20, Jitter: 30 * time.Second},
			0,
		},
		{
			"nothing that can be read",
			map[string]string{settings.KeyWebhookMaxPayload: "0", settings.KeyWebhookJitter: "soon", settings.KeyWebhookThreshold: "-1"},
			settings.Webhook{MaxPayloadBytes: 10 << 20, Threshold: 10},
			3,
		},
		{"a size that no memory holds", map[string]string{settings.KeyWebhookMaxPayload: "99999999"}, settings.Webhook{MaxPayloadBytes: 10 << 20, Threshold: 10}, 1},
	} {
		got, errs := settings.Parse(tc.data)
		if diff := cmp.Diff(tc.want, got.Webhook); diff != "" || len(errs) != tc.errs {
			t.Errorf("%s: %v (-want +got):\n%s", tc.reason, errs, diff)
		}
	}
}

func TestWebhookSecrets(t *testing.T) {
	named := func(name string) map[string][]byte {
		return map[string]map[string][]byte{"hooks": {"github": []byte("from hooks\n"), "empty": {}}}[name]
	}
	values, broken := settings.WebhookSecrets(map[string][]byte{
		"webhook.gitlab.secret":          []byte("plain\n"),
		"webhook.gogs.secret":            []byte("$other"),
		"other":                          []byte("of the same Secret"),
		"webhook.github.secret":          []byte("$hooks:github"),
		"webhook.harbor.secret":          []byte("$hooks:empty"),
		"webhook.bitbucketserver.secret": []byte("$nowhere:key"),
		"webhook.bitbucket.uuid":         []byte("$missing"),
		"server.secretkey":               []byte("not about webhooks"),
		"webhook.azuredevops.username":   {},
	}, named)
	want := map[string]string{
		"webhook.gitlab.secret": "plain", "webhook.gogs.secret": "of the same Secret", "webhook.github.secret": "from hooks",
		"webhook.azuredevops.username": "",
	}
	if diff := cmp.Diff(want, values); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	lost := []string{"webhook.bitbucket.uuid", "webhook.bitbucketserver.secret", "webhook.harbor.secret"}
	if diff := cmp.Diff(lost, slices.Sorted(maps.Keys(broken))); diff != "" {
		t.Errorf("broken (-want +got):\n%s", diff)
	}
}
