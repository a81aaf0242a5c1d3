package receiver

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// harbor is known by its secret alone, since it sends no header of its own.
var harbor = provider{
	name: "harbor",
	claims: func(header http.Header, secrets Secrets) bool {
		secret, err := secrets.get(KeyHarbor)
		return err == nil && secret != "" && same(header.Get("Authorization"), secret)
	},
	verify: func(delivery, Secrets) error { return nil },
	read:   func(d delivery) (Events, error) { return readHarbor(d.body) },
}

func readHarbor(body []byte) (Events, error) {
	var payload struct {
		Type      string `json:"type"`
		EventData struct {
			Resources []struct {
				Tag         string `json:"tag"`
				ResourceURL string `json:"resource_url"`
			} `json:"resources"`
			Repository struct {
				Name      string `json:"name"`
				Namespace string `json:"namespace"`
				FullName  string `json:"repo_full_name"`
			} `json:"repository"`
		} `json:"event_data"`
	}
	if err := json.Unmarshal(body, &payload); err != nil {
		return Events{}, err
	}
	if payload.Type != "PUSH_ARTIFACT" {
		return Events{}, nil
	}
	repository := payload.EventData.Repository.FullName
	if repository == "" {
		if payload.EventData.Repository.Namespace == "" || payload.EventData.Repository.Name == "" {
			return Events{}, errors.New("event_data.repository has no name")
		}
		repository = payload.EventData.Repository.Namespace + "/" + payload.EventData.Repository.Name
	}
	var events Events
	for _, resource := range payload.EventData.Resources {
		if resource.Tag == "" {
			continue
		}
		registry, err := registryOf(resource.ResourceURL)
		if err != nil {
			return Events{}, err
		}
		events.Artifacts = append(events.Artifacts, Artifact{Registry: registry, Repository: repository, Tag: resource.Tag})
	}
	return events, nil
}

// registryOf is the host, with a port if there is one, of the address of an artifact, with or without a scheme.
func registryOf(resourceURL string) (string, error) {
	rest := resourceURL
	if _, behind, hasScheme := strings.Cut(rest, "://"); hasScheme {
		rest = behind
	}
	host, _, found := strings.Cut(rest, "/")
	if !found || host == "" {
		return "", fmt.Errorf("resource_url %q names no registry", resourceURL)
	}
	return host, nil
}
