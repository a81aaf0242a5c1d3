package sealing

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"time"

	"golang.org/x/crypto/ssh"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	bitnamiv1 "github.com/tiphys-io/tiphys/api/bitnami/v1alpha1"
)

// Key is a sealing key with its certificate.
type Key struct {
	// Secret is the name of the Secret that holds it; empty when it came from elsewhere.
	Secret string
	// Fingerprint is the SHA256 fingerprint of the public key, as OpenSSH writes it (contract A3).
	Fingerprint string
	// Private opens items.
	Private *rsa.PrivateKey
	// Certificate is what clients seal with. Nil when the Secret holds none for this key: it then opens items and is
	// never the newest.
	Certificate *x509.Certificate
	// Created is when its Secret was created.
	Created time.Time
	// Retired tells that the key is kept but no longer opens anything.
	Retired bool
	// RetiredAt is when it was retired; zero when that is not known.
	RetiredAt time.Time
}

// ParseKey reads the Secret of a sealing key (contract A4). The error names what is wrong with it and holds no part of the key.
// A key whose certificate is another's comes with an error too, and can open items.
func ParseKey(secret *corev1.Secret) (*Key, error) {
	key, err := parsePair(secret.Data[corev1.TLSPrivateKeyKey], secret.Data[corev1.TLSCertKey])
	if key == nil {
		return nil, err
	}
	key.Secret, key.Created = secret.Name, secret.CreationTimestamp.Time
	if value, labelled := secret.Labels[bitnamiv1.LabelSealingKey]; labelled && value != bitnamiv1.SealingKeyActive {
		key.Retired, key.RetiredAt = true, labelledAt(secret)
	}
	return key, err
}

func parsePair(private, certificate []byte) (*Key, error) {
	key, err := ParsePrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", corev1.TLSPrivateKeyKey, err)
	}
	certificates, err := ParseCertificates(certificate)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", corev1.TLSCertKey, err)
	}
	if public, ok := certificates[0].PublicKey.(*rsa.PublicKey); !ok || !public.Equal(key.Private.Public()) {
		return key, fmt.Errorf("%s: the first certificate does not belong to %s: the key opens items but nothing is sealed with it",
			corev1.TLSCertKey, corev1.TLSPrivateKeyKey)
	}
	key.Certificate = certificates[0]
	return key, nil
}

// ParsePrivateKey reads the first RSA private key of a PEM file, PKCS#1 or PKCS#8, without a certificate.
func ParsePrivateKey(data []byte) (*Key, error) {
	if len(data) == 0 {
		return nil, errors.New("there is no private key")
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		private, err := parseBlock(block)
		if err != nil {
			return nil, err
		}
		if private == nil {
			continue
		}
		fingerprint, err := Fingerprint(&private.PublicKey)
		if err != nil {
			return nil, err
		}
		return &Key{Private: private, Fingerprint: fingerprint}, nil
	}
	return nil, errors.New("there is no RSA private key in PEM form")
}

// parseBlock is the RSA key of a block, nil when it holds something else.
func parseBlock(block *pem.Block) (*rsa.PrivateKey, error) {
	switch block.Type {
	case "RSA PRIVATE KEY":
		key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			return nil, errors.New("the RSA private key cannot be read")
		}
		return key, nil
	case "PRIVATE KEY":
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, errors.New("the private key cannot be read")
		}
		private, ok := key.(*rsa.PrivateKey)
		if !ok {
			return nil, errors.New("the private key is not an RSA key")
		}
		return private, nil
	}
	return nil, nil //nolint:nilnil // a block of another type is passed over
}

// ParseCertificates reads the certificates of a PEM file; there is at least one.
func ParseCertificates(data []byte) ([]*x509.Certificate, error) {
	var certificates []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("the certificate cannot be read: %w", err)
		}
		certificates = append(certificates, certificate)
	}
	if len(certificates) == 0 {
		return nil, errors.New("there is no certificate in PEM form")
	}
	return certificates, nil
}

// labelledAt is when the label of a key was last written, as its field managers say.
func labelledAt(secret *corev1.Secret) time.Time {
	var at time.Time
	for _, entry := range secret.ManagedFields {
		if entry.FieldsV1 != nil && entry.Time != nil && entry.Time.After(at) &&
			bytes.Contains(entry.FieldsV1.GetRawBytes(), []byte(`"f:`+bitnamiv1.LabelSealingKey+`"`)) {
			at = entry.Time.Time
		}
	}
	return at
}

// Fingerprint is the SHA256 fingerprint of a public key, as OpenSSH writes it.
func Fingerprint(key *rsa.PublicKey) (string, error) {
	public, err := ssh.NewPublicKey(key)
	if err != nil {
		return "", fmt.Errorf("fingerprint of the key: %w", err)
	}
	return ssh.FingerprintSHA256(public), nil
}

// CertificateOptions say what a new sealing key is like.
type CertificateOptions struct {
	// Bits is the size of the RSA key.
	Bits int
	// NotBefore and NotAfter are the validity of the certificate.
	NotBefore, NotAfter time.Time
	// CommonName is the subject and the issuer; it may be empty.
	CommonName string
}

// GenerateKey makes a key and its self-signed certificate (contract A4).
func GenerateKey(random io.Reader, options CertificateOptions) (*Key, error) {
	private, err := rsa.GenerateKey(random, options.Bits)
	if err != nil {
		return nil, fmt.Errorf("generating an RSA key of %d bits: %w", options.Bits, err)
	}
	serial := make([]byte, 16)
	if _, err := io.ReadFull(random, serial); err != nil {
		return nil, fmt.Errorf("making a serial number: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial), Subject: pkix.Name{CommonName: options.CommonName},
		NotBefore: options.NotBefore.UTC(), NotAfter: options.NotAfter.UTC(), SignatureAlgorithm: x509.SHA256WithRSA,
		KeyUsage: x509.KeyUsageEncipherOnly, BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(random, template, template, &private.PublicKey, private)
	if err != nil {
		return nil, fmt.Errorf("signing the certificate: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("reading back the certificate: %w", err)
	}
	fingerprint, err := Fingerprint(&private.PublicKey)
	return &Key{Fingerprint: fingerprint, Private: private, Certificate: certificate}, err
}

// CertificatePEM is the certificate of a key as a PEM file.
func (k *Key) CertificatePEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: k.Certificate.Raw})
}

// NewSecret is the Secret of a new key in a namespace, named after the prefix. Neither labels nor annotations can change the
// label that marks it as active (contract A4).
func (k *Key) NewSecret(namespace, prefix string, labels, annotations map[string]string) *corev1.Secret {
	labels = maps.Clone(labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[bitnamiv1.LabelSealingKey] = bitnamiv1.SealingKeyActive
	return &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: prefix, Labels: labels, Annotations: maps.Clone(annotations)},
		Type:       corev1.SecretTypeTLS,
		Data: map[string][]byte{
			corev1.TLSPrivateKeyKey: pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k.Private)}),
			corev1.TLSCertKey:       k.CertificatePEM(),
		},
	}
}
