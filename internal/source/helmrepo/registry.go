package helmrepo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"
)

const (
	digestPrefix = "sha256:"
	// maxTags bounds the list of versions in a registry.
	maxTags = 100_000
	// maxManifestBytes bounds the manifest of an artifact, as registries do.
	maxManifestBytes = 4 << 20
)

// layerTypes are those whose content is files; the first are Helm's, now and formerly.
var layerTypes = []string{
	"application/vnd.cncf.helm.chart.content.v1.tar+gzip", "application/tar+gzip",
	ocispec.MediaTypeImageLayerGzip, ocispec.MediaTypeImageLayer,
}

// remote connects to a chart in a registry, or to an artifact.
func (r *repository) remote(c Chart) (*remote.Repository, error) {
	if err := r.rest.Check(); err != nil {
		return nil, err
	}
	access := *r.access.Load()
	name := r.key.url
	if _, rest, hasScheme := strings.Cut(name, "://"); hasScheme {
		name = rest
	}
	if c.Name != "" {
		name += "/" + c.Name
	}
	repo, err := remote.NewRepository(name)
	if err != nil {
		return nil, &invalidError{"its URL names no repository of a registry: write host/path, in lower case"}
	}
	client, err := r.fetcher.client(access, r.key.guarded, false)
	if err != nil {
		return nil, err
	}
	repo.PlainHTTP = access.PlainHTTP
	login := auth.Credential{Username: access.Username, Password: access.Password}
	if access.BearerToken != "" && !access.ForceBasicAuth {
		login = auth.Credential{AccessToken: access.BearerToken}
	}
	repo.Client = &auth.Client{Client: client, Credential: auth.StaticCredential(repo.Reference.Registry, login), Cache: auth.NewCache()}
	return repo, nil
}

func (r *repository) listTags(ctx context.Context, c Chart) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, r.fetcher.options.Timeout)
	defer cancel()
	repo, err := r.remote(c)
	if err != nil {
		return nil, err
	}
	var versions []string
	err = repo.Tags(ctx, "", func(names []string) error {
		if len(versions)+len(names) > maxTags {
			return &invalidError{fmt.Sprintf("it has more than %d tags", maxTags)}
		}
		for _, name := range names {
			versions = append(versions, strings.ReplaceAll(name, "_", "+")) // tags cannot hold a plus sign
		}
		return nil
	})
	return versions, err
}

// digest is the identity of what a tag names now.
func (r *repository) digest(ctx context.Context, c Chart, tag string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, r.fetcher.options.Timeout)
	defer cancel()
	repo, err := r.remote(c)
	if err != nil {
		return "", err
	}
	found, err := repo.Resolve(ctx, tagOf(tag))
	if err != nil {
		return "", err
	}
	return found.Digest.String(), nil
}

func tagOf(version string) string {
	if version == "" {
		return "latest"
	}
	return strings.ReplaceAll(version, "+", "_")
}

// pull gets the layer with the files. Its digest is checked.
func (r *repository) pull(ctx context.Context, c Chart, version string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, r.fetcher.options.Timeout)
	defer cancel()
	repo, err := r.remote(c)
	if err != nil {
		return nil, err
	}
	found, body, err := repo.FetchReference(ctx, tagOf(version))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", c.title(), version, err)
	}
	text, err := readAll(body, found, maxManifestBytes)
	if err != nil {
		return nil, err
	}
	var manifest ocispec.Manifest
	if err := json.Unmarshal(text, &manifest); err != nil {
		return nil, &invalidError{fmt.Sprintf("%s %s has no manifest of an artifact", c.title(), version)}
	}
	for _, mediaType := range layerTypes {
		for _, layer := range manifest.Layers {
			if layer.MediaType != mediaType {
				continue
			}
			body, err := repo.Blobs().Fetch(ctx, layer)
			if err != nil {
				return nil, err
			}
			return readAll(body, layer, r.fetcher.options.MaxArchiveBytes)
		}
	}
	return nil, &invalidError{fmt.Sprintf("%s %s has no layer with files that are read here: %s", c.title(), version, strings.Join(layerTypes, ", "))}
}

func readAll(body io.ReadCloser, what ocispec.Descriptor, limit int64) ([]byte, error) {
	defer func() { _ = body.Close() }()
	if what.Size > limit {
		return nil, &tooLargeError{limit}
	}
	return content.ReadAll(body, what)
}

// statusOf is the status that a server answered with.
func statusOf(err error) (code int, ok bool) {
	if status, ok := errors.AsType[*statusError](err); ok {
		return status.code, true
	}
	if response, ok := errors.AsType[*errcode.ErrorResponse](err); ok {
		return response.StatusCode, true
	}
	switch {
	case errors.Is(err, auth.ErrBasicCredentialNotFound):
		return 401, true
	case errors.Is(err, errdef.ErrNotFound):
		return 404, true
	}
	return 0, false
}
