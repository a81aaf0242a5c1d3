package sealedsecret

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tiphys-io/tiphys/internal/sealing"
)

// webTimeout bounds the download of a certificate, maxCertificate its size.
const (
	webTimeout     = 30 * time.Second
	maxCertificate = 1 << 20
)

type sealOptions struct {
	certificate, service, serviceNamespace string
	scope, namespace, name                 string
}

func sealCommand() *cobra.Command {
	options := &sealOptions{}
	cmd := &cobra.Command{
		Use:   "seal [FILE]",
		Short: "Seal a Secret, so that it may lie in Git",
		Long: "Reads Secrets in YAML or JSON from a file or standard input and prints SealedSecrets. Without --cert the certificate\n" +
			"is asked of the cluster, through the API server.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return options.run(cmd, strings.Join(args, "")) },
	}
	cmd.Flags().StringVar(&options.certificate, "cert", "", "certificate to seal with: a file or a URL; no cluster is needed then")
	cmd.Flags().StringVar(&options.service, "controller-name", "sealed-secrets-controller", "Service to ask for the certificate")
	cmd.Flags().StringVar(&options.serviceNamespace, "controller-namespace", "argocd", "namespace of that Service")
	cmd.Flags().StringVar(&options.scope, "scope", "", "strict, namespace-wide or cluster-wide; by default what the annotations of the Secret say, else strict")
	cmd.Flags().StringVarP(&options.namespace, "namespace", "n", "", "namespace of Secrets that name none")
	cmd.Flags().StringVar(&options.name, "name", "", "name of a Secret that has none")
	return cmd
}

func (o *sealOptions) run(cmd *cobra.Command, file string) error {
	data, err := input(cmd, file)
	if err != nil {
		return err
	}
	documents, err := split(data)
	if err != nil {
		return err
	}
	key, err := o.key(cmd.Context())
	if err != nil {
		return err
	}
	for _, document := range documents {
		secret := &corev1.Secret{}
		if err := decode(document, "Secret", secret); err != nil {
			return err
		}
		if err := o.complete(secret); err != nil {
			return err
		}
		sealed, err := sealing.Seal(rand.Reader, key, secret)
		if err != nil {
			return err
		}
		if err := printYAML(cmd, sealed); err != nil {
			return err
		}
	}
	return nil
}

// complete fills in what the options say.
func (o *sealOptions) complete(secret *corev1.Secret) error {
	if secret.Namespace == "" {
		secret.Namespace = o.namespace
	}
	if secret.Name == "" {
		secret.Name = o.name
	}
	if o.scope == "" {
		return nil
	}
	scope, err := sealing.ParseScope(o.scope)
	secret.Annotations = scope.Annotate(secret.Annotations)
	return err
}

// key is the public key to seal with. One that is no longer valid is refused: what it seals may not open.
func (o *sealOptions) key(ctx context.Context) (*rsa.PublicKey, error) {
	data, err := o.certificatePEM(ctx)
	if err != nil {
		return nil, err
	}
	certificates, err := sealing.ParseCertificates(data)
	if err != nil {
		return nil, err
	}
	if now := time.Now(); now.After(certificates[0].NotAfter) {
		return nil, fmt.Errorf("the certificate was valid until %s: get the newest one", certificates[0].NotAfter.Format(time.RFC3339))
	}
	key, ok := certificates[0].PublicKey.(*rsa.PublicKey)
	if !ok {
		return nil, errors.New("the certificate is not for an RSA key")
	}
	return key, nil
}

func (o *sealOptions) certificatePEM(ctx context.Context) ([]byte, error) {
	switch {
	case strings.HasPrefix(o.certificate, "https://"), strings.HasPrefix(o.certificate, "http://"):
		return download(ctx, o.certificate)
	case o.certificate != "":
		data, err := os.ReadFile(o.certificate)
		if err != nil {
			return nil, fmt.Errorf("reading the certificate: %w", err)
		}
		return data, nil
	}
	client, _, err := connect()
	if err != nil {
		return nil, err
	}
	remedy := "name another with --controller-namespace and --controller-name, or a certificate with --cert"
	service, err := client.CoreV1().Services(o.serviceNamespace).Get(ctx, o.service, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("finding the Service %s/%s: %w; %s", o.serviceNamespace, o.service, err, remedy)
	}
	if len(service.Spec.Ports) == 0 {
		return nil, fmt.Errorf("the Service %s/%s has no port; %s", o.serviceNamespace, o.service, remedy)
	}
	data, err := client.CoreV1().Services(o.serviceNamespace).
		ProxyGet("http", o.service, service.Spec.Ports[0].Name, "/v1/cert.pem", nil).DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking the Service %s/%s for the certificate: %w; %s", o.serviceNamespace, o.service, err, remedy)
	}
	return data, nil
}

func download(ctx context.Context, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, webTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("the certificate's URL: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("fetching the certificate: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // it is only read
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("fetching the certificate: %s answers %s", url, response.Status)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, maxCertificate))
	if err != nil {
		return nil, fmt.Errorf("fetching the certificate: %w", err)
	}
	return data, nil
}
