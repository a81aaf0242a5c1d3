package receiver

import (
	"encoding/json"
	"net/http"
)

// azureDevOps lists commits, but not their files.
var azureDevOps = provider{
	name:   "azuredevops",
	claims: func(header http.Header, _ Secrets) bool { return header.Get("X-Vss-Activityid") != "" },
	verify: func(d delivery, secrets Secrets) error {
		username, password, err := secrets.pair(KeyAzureUsername, KeyAzurePassword)
		if err != nil || (username == "" && password == "") {
			return err
		}
		request := http.Request{Header: d.header}
		givenUsername, givenPassword, _ := request.BasicAuth()
		if usernameFits, passwordFits := same(givenUsername, username), same(givenPassword, password); !usernameFits || !passwordFits {
			return errSignature
		}
		return nil
	},
	read: func(d delivery) (Events, error) { return readAzureDevOps(d.body) },
}

func readAzureDevOps(body []byte) (Events, error) {
	var payload struct {
		EventType string          `json:"eventType"`
		Resource  json.RawMessage `json:"resource"` // has another form for each type of event
	}
	if err := json.Unmarshal(body, &payload); err != nil || payload.EventType != "git.push" {
		return Events{}, err
	}
	var resource struct {
		RefUpdates []struct {
			Name        string `json:"name"`
			OldObjectID string `json:"oldObjectId"`
			NewObjectID string `json:"newObjectId"`
		} `json:"refUpdates"`

		Repository struct {
			RemoteURL     string `json:"remoteUrl"`
			DefaultBranch string `json:"defaultBranch"`
		} `json:"repository"`
	}
	if err := json.Unmarshal(payload.Resource, &resource); err != nil {
		return Events{}, err
	}
	var events Events
	for _, update := range resource.RefUpdates {
		events.Pushes = append(events.Pushes, Push{
			URLs: []string{resource.Repository.RemoteURL}, Revision: parseRef(update.Name), Before: update.OldObjectID, After: update.NewObjectID,
			Default: parseRef(update.Name) == parseRef(resource.Repository.DefaultBranch),
		})
	}
	return events, nil
}
