package connection

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/tiphys-io/tiphys/internal/credentials"
)

const (
	// gitHubAPI is where the apps of github.com get their tokens.
	gitHubAPI = "https://api.github.com"
	// tokenMargin is how long before its end a token is no longer used.
	tokenMargin = 5 * time.Minute
	// maxTokenBytes bounds the answer with a token.
	maxTokenBytes = 1 << 20
	maxTokens     = 1000
)

// Tokens gets and remembers the tokens of apps. The zero value is ready.
type Tokens struct {
	mu     sync.Mutex
	tokens map[string]token
}

type token struct {
	text string
	ends time.Time
}

// Login replaces an app by the token of its installation, which then is the password. Other logins stay as they are.
func (t *Tokens) Login(ctx context.Context, access credentials.Access, client http.RoundTripper) (credentials.Login, error) {
	app := access.GitHubApp
	if app == nil {
		return access.Login, nil
	}
	t.mu.Lock()
	known, ok := t.tokens[access.Identity]
	t.mu.Unlock()
	if !ok || time.Until(known.ends) < tokenMargin {
		var err error
		if known, err = requestToken(ctx, app, client); err != nil {
			return credentials.Login{}, fmt.Errorf("a token for the GitHub App of %s: %w", access.Origin, err)
		}
		t.keep(access.Identity, known)
	}
	return credentials.Login{Username: tokenUser, Password: known.text}, nil
}

func (t *Tokens) keep(identity string, known token) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.tokens == nil || len(t.tokens) > maxTokens {
		t.tokens = map[string]token{}
	}
	t.tokens[identity] = known
}

// requestToken asks for the token of an installation (GitHub, "Generating an installation access token").
func requestToken(ctx context.Context, app *credentials.GitHubApp, client http.RoundTripper) (token, error) {
	proof, err := sign(app, time.Now())
	if err != nil {
		return token{}, err
	}
	base := app.BaseURL
	if base == "" {
		base = gitHubAPI
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("%s/app/installations/%d/access_tokens", base, app.InstallationID), http.NoBody)
	if err != nil {
		return token{}, &RefusedError{"githubAppEnterpriseBaseUrl is no URL"}
	}
	request.Header.Set("Authorization", "Bearer "+proof)
	request.Header.Set("Accept", "application/vnd.github+json")
	response, err := client.RoundTrip(request)
	if err != nil {
		return token{}, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusCreated && response.StatusCode < http.StatusInternalServerError {
		return token{}, &RefusedError{fmt.Sprintf("the server refuses it with status %d: check githubAppID, githubAppInstallationID and githubAppPrivateKey", response.StatusCode)}
	}
	if response.StatusCode != http.StatusCreated {
		return token{}, fmt.Errorf("%w %d", errStatus, response.StatusCode)
	}
	var answer struct {
		Token   string    `json:"token"`
		Expires time.Time `json:"expires_at"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxTokenBytes)).Decode(&answer); err != nil || answer.Token == "" {
		return token{}, errors.New("the server answers, but with no token")
	}
	return token{answer.Token, answer.Expires}, nil
}

// sign makes the short-lived proof, a JSON Web Token by RS256 (RFC 7519), that the app is who it says.
func sign(app *credentials.GitHubApp, now time.Time) (string, error) {
	key, err := parseKey(app.PrivateKey)
	if err != nil {
		return "", err
	}
	// A minute back, for clocks that differ; GitHub accepts ten minutes in all.
	claims, err := json.Marshal(map[string]any{"iat": now.Add(-time.Minute).Unix(), "exp": now.Add(8 * time.Minute).Unix(), "iss": fmt.Sprint(app.ID)})
	if err != nil {
		return "", err
	}
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + encode(claims)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		return "", err
	}
	return text + "." + encode(signature), nil
}

func parseKey(text string) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block != nil {
		if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
			return key, nil
		}
		if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			if found, ok := key.(*rsa.PrivateKey); ok {
				return found, nil
			}
		}
	}
	return nil, &RefusedError{"githubAppPrivateKey is no RSA key in PEM"}
}
