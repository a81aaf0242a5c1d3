package receiver

import (
	"encoding/json"
	"net/http"
)

// gogs is Gogs and those that came of it, Gitea and Forgejo, which send its headers as well.
var gogs = provider{
	name:   "gogs",
	claims: func(header http.Header, _ Secrets) bool { return header.Get(gogsEvent) != "" },
	verify: signed("X-Gogs-Signature", KeyGogs),
	read: func(d delivery) (Events, error) {
		if d.header.Get(gogsEvent) != "push" {
			return Events{}, nil
		}
		return readGogs(d.body)
	},
}

const gogsEvent = "X-Gogs-Event"

func readGogs(body []byte) (Events, error) {
	var payload struct {
		Ref     string   `json:"ref"`
		Before  string   `json:"before"`
		After   string   `json:"after"`
		Commits []commit `json:"commits"`
		Total   int      `json:"total_commits"` // Gitea lists the newest

		Repository *struct {
			HTMLURL       string `json:"html_url"`
			DefaultBranch string `json:"default_branch"`
		} `json:"repository"`
	}
	if err := json.Unmarshal(body, &payload); err != nil {
		return Events{}, err
	}
	push := Push{
		Revision: parseRef(payload.Ref), Before: payload.Before, After: payload.After,
		Files: filesOf(payload.Commits), Partial: payload.Total > len(payload.Commits),
	}
	if repository := payload.Repository; repository != nil {
		push.URLs, push.Default = []string{repository.HTMLURL}, push.Revision == repository.DefaultBranch
	}
	return Events{Pushes: []Push{push}}, nil
}
