package sealedsecret

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	bitnamiv1 "github.com/tiphys-io/tiphys/api/bitnami/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/sealing"
)

// fixedRing is a ring that does not change.
type fixedRing struct{ *sealing.Ring }

func (r fixedRing) Await(context.Context) error { return nil }
func (r fixedRing) Current() *sealing.Ring      { return r.Ring }

func ask(handler http.Handler, method, path, body string, header ...string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response := httptest.NewRecorder()
	handler.ServeHTTP(response, request)
	return response
}

func TestAPI(t *testing.T) {
	older, newest := newKey(t, now), newKey(t, now.Add(time.Hour))
	ready := false
	api := &API{
		Keys: fixedRing{sealing.NewRing(sealing.ByNotBefore, older, newest)}, Ready: func() bool { return ready },
		Limit: NewLimit(1000, 1000, func() time.Time { return now }),
	}
	handler := api.Handler()
	sealed, err := sealing.Seal(rand.Reader, &older.Private.PublicKey, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "s"}, Data: map[string][]byte{"a": []byte("canary")},
	})
	if err != nil {
		t.Fatal(err)
	}
	text := func(change func(*bitnamiv1.SealedSecret)) string {
		object := sealed.DeepCopy()
		change(object)
		data, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	good := text(func(*bitnamiv1.SealedSecret) {})
	oracle := `{{ if eq .a "canar" }}{{ end }}{{ fail .a }}`
	template := text(func(o *bitnamiv1.SealedSecret) { o.Spec.Template.Data = map[string]*string{"t": &oracle} })
	widened := text(func(o *bitnamiv1.SealedSecret) { o.Annotations = sealing.ClusterWide.Annotate(nil) })
	claimed := text(func(o *bitnamiv1.SealedSecret) {
		o.Spec.Template.Annotations = sealing.ClusterWide.Annotate(nil)
		o.Spec.Template.Name = "other"
	})
	moved := text(func(o *bitnamiv1.SealedSecret) { o.Name = "other" })
	for _, tc := range []struct {
		reason, method, path, body string
		want                       int
	}{
		{"alive", "GET", "/healthz", "", 200},
		{"not ready", "GET", "/readyz", "", 503},
		{"the certificate", "GET", "/v1/cert.pem", "", 200},
		{"the method is not looked at", "POST", "/v1/cert.pem", "", 200},
		{"it opens", "POST", "/v1/verify", good, 200},
		{"templates are not rendered", "POST", "/v1/verify", template, 200},
		{"another name", "POST", "/v1/verify", moved, 409},
		{"a wider scope", "POST", "/v1/verify", widened, 409},
		{"nothing", "POST", "/v1/verify", "", 500},
		{"garbage", "POST", "/v1/verify", "{{", 500},
		{"another kind", "POST", "/v1/verify", `{"apiVersion":"v1","kind":"Secret"}`, 500},
		{"another group", "POST", "/v1/verify", strings.Replace(good, "bitnami.com/", "example.com/", 1), 500},
		{"two documents", "POST", "/v1/verify", good + "\n---\n" + good, 500},
		{"too large", "POST", "/v1/verify", `{"a":"` + strings.Repeat("x", maxBody) + `"}`, 413},
		{"sealed anew", "POST", "/v1/rotate", good, 200},
		{"templates are not rendered", "POST", "/v1/rotate", template, 200},
		{"a scope that the template claims", "POST", "/v1/rotate", claimed, 200},
		{"another name", "POST", "/v1/rotate", moved, 500},
		{"a wider scope", "POST", "/v1/rotate", widened, 500},
		{"no metrics here", "GET", "/metrics", "", 404},
	} {
		response := ask(handler, tc.method, tc.path, tc.body)
		if response.Code != tc.want {
			t.Errorf("%s (%s): %d, want %d: %s", tc.path, tc.reason, response.Code, tc.want, response.Body)
		}
		if strings.Contains(response.Body.String(), "canary") {
			t.Errorf("%s (%s) tells a value: %s", tc.path, tc.reason, response.Body)
		}
	}
	ready = true
	if response := ask(handler, "GET", "/readyz", ""); response.Code != 200 || response.Body.String() != "ok\n" {
		t.Errorf("ready: %d %q", response.Code, response.Body)
	}
	certificate := ask(handler, "GET", "/v1/cert.pem", "")
	if certificate.Body.String() != string(newest.CertificatePEM()) || certificate.Header().Get("Content-Type") != "application/x-pem-file" {
		t.Errorf("certificate: %s, %v", certificate.Body, certificate.Header())
	}
	rotated := ask(handler, "POST", "/v1/rotate", claimed)
	object := &bitnamiv1.SealedSecret{}
	if err := json.Unmarshal(rotated.Body.Bytes(), object); err != nil || rotated.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("rotated: %v, %v", err, rotated.Header())
	}
	if sealing.ScopeOf(object.Annotations) != sealing.Strict || object.Spec.Template.Name != "other" {
		t.Errorf("rotated: annotations %v, template %+v", object.Annotations, object.Spec.Template)
	}
	api.Keys = fixedRing{sealing.NewRing(sealing.ByNotBefore)}
	if response := ask(handler, "GET", "/v1/cert.pem", ""); response.Code != 500 {
		t.Errorf("without a key: %d", response.Code)
	}
}

func TestLimit(t *testing.T) {
	clock := now
	limit := NewLimit(2, 2, func() time.Time { return clock })
	handler := limit.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	codes := func(n int, path, client string) (codes string, last *httptest.ResponseRecorder) {
		for range n {
			last = ask(handler, "POST", path, "", "X-Forwarded-For", client)
			codes += strconv.Itoa(last.Code) + " "
		}
		return codes, last
	}
	got, last := codes(4, "/v1/verify", "a")
	if got != "200 200 200 429 " || last.Header().Get("Retry-After") != "1" || last.Header().Get("X-Ratelimit-Limit") != "3" {
		t.Errorf("%s, %v", got, last.Header())
	}
	for _, other := range [][2]string{{"/v1/rotate", "a"}, {"/v1/verify", "b"}} {
		if got, _ := codes(1, other[0], other[1]); got != "200 " {
			t.Errorf("%v: %s: another path or client is limited by itself", other, got)
		}
	}
	clock = clock.Add(time.Second)
	if got, _ := codes(3, "/v1/verify", "a"); got != "200 200 429 " {
		t.Errorf("a second later: %s, want two more", got)
	}
	for i := range maxClients + 10 {
		limit.take(fmt.Sprint(i))
	}
	if len(limit.clients) > maxClients {
		t.Errorf("%d clients are remembered", len(limit.clients))
	}
}
