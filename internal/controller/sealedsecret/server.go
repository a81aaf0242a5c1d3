package sealedsecret

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/yaml"

	bitnamiv1 "github.com/tiphys-io/tiphys/api/bitnami/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/sealing"
)

const (
	// RequestTimeout bounds reading a request and writing an answer (contract A5).
	RequestTimeout = 2 * time.Minute
	// maxBody is more than any object that the API server stores.
	maxBody = 4 << 20
)

// API answers clients that seal: the certificate, whether an object can be opened, and the object sealed anew (contract A5).
// It is open to everybody who reaches it, so no answer tells anything about a value: templates are not rendered, and a scope
// comes from the metadata that the ciphertext authenticates.
type API struct {
	Keys Ring
	// Ready tells whether the keys were read.
	Ready func() bool
	// Options say what is accepted.
	Options sealing.Options
	Limit   *Limit
}

// Handler serves the paths of the API.
func (a *API) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !a.Ready() {
			say(w, http.StatusServiceUnavailable, "not ready\n")
			return
		}
		say(w, http.StatusOK, "ok\n")
	})
	mux.Handle("/v1/cert.pem", counted("/v1/cert.pem", http.HandlerFunc(a.certificate)))
	mux.Handle("/v1/verify", counted("/v1/verify", a.Limit.Handler(http.HandlerFunc(a.verify))))
	mux.Handle("/v1/rotate", counted("/v1/rotate", a.Limit.Handler(http.HandlerFunc(a.rotate))))
	return mux
}

func counted(path string, next http.Handler) http.Handler {
	labels := prometheus.Labels{"path": path}
	return promhttp.InstrumentHandlerDuration(httpSeconds.MustCurryWith(labels),
		promhttp.InstrumentHandlerCounter(httpRequests.MustCurryWith(labels), next))
}

func say(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text)
}

// certificate gives the certificate of the newest key.
func (a *API) certificate(w http.ResponseWriter, _ *http.Request) {
	newest := a.Keys.Current().Newest()
	if newest == nil {
		say(w, http.StatusInternalServerError, "there is no sealing key yet\n")
		return
	}
	w.Header().Set("Content-Type", "application/x-pem-file")
	_, _ = w.Write(newest.CertificatePEM())
}

// verify tells whether an object can be opened, and no more.
func (a *API) verify(w http.ResponseWriter, r *http.Request) {
	object, err := readObject(w, r)
	if err != nil {
		refuse(w, r, err)
		return
	}
	if _, err := a.Keys.Current().Open(object, a.Options); err != nil {
		w.WriteHeader(http.StatusConflict)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// rotate gives an object sealed anew with the newest key.
func (a *API) rotate(w http.ResponseWriter, r *http.Request) {
	object, err := readObject(w, r)
	if err != nil {
		refuse(w, r, err)
		return
	}
	resealed, _, err := a.Keys.Current().Reseal(rand.Reader, object, a.Options)
	if err != nil {
		refuse(w, r, errors.New("the object cannot be opened")) // why is for its own status only
		return
	}
	data, err := json.Marshal(resealed)
	if err != nil {
		refuse(w, r, errors.New("the object cannot be written"))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(data)
}

func refuse(w http.ResponseWriter, r *http.Request, err error) {
	code := http.StatusInternalServerError
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		code, err = http.StatusRequestEntityTooLarge, fmt.Errorf("the object has more than %d bytes", tooLarge.Limit)
	}
	ctrl.LoggerFrom(r.Context()).Info("request refused", "path", r.URL.Path, "reason", err.Error())
	say(w, code, err.Error()+"\n")
}

// readObject reads the one SealedSecret of a request, JSON or YAML. No error quotes what was sent.
func readObject(w http.ResponseWriter, r *http.Request) (*bitnamiv1.SealedSecret, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, fmt.Errorf("reading the request: %w", err)
	}
	if documents(body) != 1 {
		return nil, errors.New("send one SealedSecret in JSON or YAML at a time")
	}
	object := &bitnamiv1.SealedSecret{}
	if err := yaml.Unmarshal(body, object); err != nil {
		return nil, errors.New("this is neither JSON nor YAML of a SealedSecret")
	}
	if object.Kind != "SealedSecret" || !strings.HasPrefix(object.APIVersion, bitnamiv1.GroupVersion.Group+"/") {
		return nil, errors.New("this is no SealedSecret of " + bitnamiv1.GroupVersion.String())
	}
	return object, nil
}

// documents counts the YAML documents that hold something.
func documents(body []byte) int {
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(body)))
	count := 0
	for {
		document, err := reader.Read()
		if len(bytes.TrimSpace(document)) > 0 {
			count++
		}
		if err != nil {
			return count
		}
	}
}

// MetricsHandler serves metrics on the path where Sealed Secrets has them.
func MetricsHandler(metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", metrics)
	return mux
}
