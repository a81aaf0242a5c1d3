package receiver

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Keys of argocd-secret (contract 5.6).
const (
	KeyGitHub          = "webhook.github.secret"
	KeyGitLab          = "webhook.gitlab.secret"
	KeyBitbucketUUID   = "webhook.bitbucket.uuid"
	KeyBitbucketServer = "webhook.bitbucketserver.secret"
	KeyGogs            = "webhook.gogs.secret"
	KeyAzureUsername   = "webhook.azuredevops.username"
	KeyAzurePassword   = "webhook.azuredevops.password" //nolint:gosec // the name of a secret and none itself
	KeyHarbor          = "webhook.harbor.secret"
)

// Secrets are what senders prove themselves with, by key of argocd-secret. A provider whose secret is not there is let in
// unproven (contract 5.6).
type Secrets struct {
	Values map[string]string
	// Broken says of a secret why it cannot be had although it is meant to be there: nobody is let in then.
	Broken map[string]error
}

func (s Secrets) get(key string) (string, error) {
	if err := s.Broken[key]; err != nil {
		return "", fmt.Errorf("%s of argocd-secret: %w", key, err)
	}
	return s.Values[key], nil
}

func (s Secrets) pair(first, second string) (a, b string, err error) {
	a, errA := s.get(first)
	b, errB := s.get(second)
	return a, b, errors.Join(errA, errB)
}

// delivery is one request, read.
type delivery struct {
	header http.Header
	body   []byte
}

// provider is one kind of server that sends webhooks.
type provider struct {
	name string
	// claims tells by its headers whether a request is this provider's.
	claims func(header http.Header, secrets Secrets) bool
	// verify says why a request does not come from whom it should.
	verify func(d delivery, secrets Secrets) error
	// refusedWith is the status for one that does not; 0 means 400.
	refusedWith int
	// read gives what a request tells. An error is about its form.
	read func(d delivery) (Events, error)
}

// providers in the order in which they are asked: some send the headers of others too (contract 5.6).
var providers = []provider{azureDevOps, gogs, gitHub, gitLab, bitbucket, bitbucketServer, ghcr, harbor}

// find gives the provider that a request comes from.
func find(header http.Header, secrets Secrets) (provider, bool) {
	for _, p := range providers {
		if p.claims(header, secrets) {
			return p, true
		}
	}
	return provider{}, false
}

var errSignature = errors.New("the signature or secret is missing or is not the one in argocd-secret")

// signed checks an HMAC-SHA256 of the body, in hexadecimal digits.
func signed(header, key string) func(delivery, Secrets) error {
	return func(d delivery, secrets Secrets) error {
		secret, err := secrets.get(key)
		if err != nil || secret == "" {
			return err
		}
		given, err := hex.DecodeString(strings.TrimPrefix(d.header.Get(header), "sha256="))
		code := hmac.New(sha256.New, []byte(secret))
		code.Write(d.body)
		if err != nil || !hmac.Equal(given, code.Sum(nil)) {
			return errSignature
		}
		return nil
	}
}

// equal checks that a header holds the secret.
func equal(header, key string) func(delivery, Secrets) error {
	return func(d delivery, secrets Secrets) error {
		secret, err := secrets.get(key)
		if err != nil || secret == "" || same(d.header.Get(header), secret) {
			return err
		}
		return errSignature
	}
}

// same compares in a time that tells neither content nor length.
func same(given, secret string) bool {
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}
