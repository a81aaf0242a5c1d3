package receiver

import (
	"encoding/json"
	"net/http"
	"strings"
)

// ghcr is the registry of GitHub.
var ghcr = provider{
	name:        "ghcr",
	claims:      func(header http.Header, _ Secrets) bool { return header.Get(gitHubEvent) == packageEvent },
	verify:      signed("X-Hub-Signature-256", KeyGitHub),
	refusedWith: http.StatusUnauthorized,
	read:        func(d delivery) (Events, error) { return readGHCR(d.body) },
}

const ghcrRegistry = "ghcr.io"

// readGHCR reads what was published: a container, which charts and other artifacts are as well.
func readGHCR(body []byte) (Events, error) {
	var payload struct {
		Action  string `json:"action"`
		Package struct {
			Name        string `json:"name"`
			PackageType string `json:"package_type"`
			Owner       struct {
				Login string `json:"login"`
			} `json:"owner"`
			PackageVersion struct {
				ContainerMetadata struct {
					Tag struct {
						Name string `json:"name"`
					} `json:"tag"`
				} `json:"container_metadata"`
			} `json:"package_version"`
		} `json:"package"`
	}
	if err := json.Unmarshal(body, &payload); err != nil {
		return Events{}, err
	}
	tag := payload.Package.PackageVersion.ContainerMetadata.Tag.Name
	if payload.Action != "published" || !strings.EqualFold(payload.Package.PackageType, "container") || tag == "" {
		return Events{}, nil
	}
	return Events{Artifacts: []Artifact{{
		Registry: ghcrRegistry, Repository: payload.Package.Owner.Login + "/" + payload.Package.Name, Tag: tag,
	}}}, nil
}
