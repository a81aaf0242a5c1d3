package receiver

import (
	"encoding/json"
	"net/http"
)

// gitHub claims all events of GitHub but those of its registry.
var gitHub = provider{
	name: "github",
	claims: func(header http.Header, _ Secrets) bool {
		event := header.Get(gitHubEvent)
		return event != "" && event != packageEvent
	},
	verify: signed("X-Hub-Signature-256", KeyGitHub),
	read: func(d delivery) (Events, error) {
		if d.header.Get(gitHubEvent) != "push" {
			return Events{}, nil
		}
		return readGitHub(d.body)
	},
}

const (
	gitHubEvent  = "X-GitHub-Event"
	packageEvent = "package"
	// gitHubCommits is how many commits GitHub lists at most.
	gitHubCommits = 2048
)

func readGitHub(body []byte) (Events, error) {
	var payload struct {
		Ref     string   `json:"ref"`
		Before  string   `json:"before"`
		After   string   `json:"after"`
		Forced  bool     `json:"forced"`
		Commits []commit `json:"commits"`

		Repository struct {
			HTMLURL       string `json:"html_url"`
			DefaultBranch string `json:"default_branch"`
		} `json:"repository"`
	}
	if err := json.Unmarshal(body, &payload); err != nil {
		return Events{}, err
	}
	push := Push{
		URLs: []string{payload.Repository.HTMLURL}, Revision: parseRef(payload.Ref), Before: payload.Before, After: payload.After,
		Files: filesOf(payload.Commits), Partial: payload.Forced || len(payload.Commits) >= gitHubCommits,
	}
	push.Default = push.Revision == payload.Repository.DefaultBranch
	return Events{Pushes: []Push{push}}, nil
}
