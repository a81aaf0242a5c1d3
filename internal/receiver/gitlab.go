package receiver

import (
	"encoding/json"
	"net/http"
)

// gitLab sends a push to a repository, to a tag, and, as a system hook, to any repository of the server.
var gitLab = provider{
	name:   "gitlab",
	claims: func(header http.Header, _ Secrets) bool { return header.Get(gitLabEvent) != "" },
	verify: equal("X-Gitlab-Token", KeyGitLab),
	read: func(d delivery) (Events, error) {
		switch d.header.Get(gitLabEvent) {
		case "Push Hook", "Tag Push Hook", "System Hook":
			return readGitLab(d.body)
		}
		return Events{}, nil
	},
}

const gitLabEvent = "X-Gitlab-Event"

func readGitLab(body []byte) (Events, error) {
	var payload struct {
		Name    string   `json:"event_name"`
		Ref     string   `json:"ref"`
		Before  string   `json:"before"`
		After   string   `json:"after"`
		Commits []commit `json:"commits"`
		Total   int      `json:"total_commits_count"` // the newest 20 are listed

		Project struct {
			WebURL        string `json:"web_url"`
			DefaultBranch string `json:"default_branch"`
		} `json:"project"`
	}
	if err := json.Unmarshal(body, &payload); err != nil {
		return Events{}, err
	}
	if payload.Ref == "" {
		return Events{}, nil // a system hook about users, groups and the like
	}
	push := Push{
		URLs: []string{payload.Project.WebURL}, Revision: parseRef(payload.Ref), Before: payload.Before, After: payload.After,
		Files: filesOf(payload.Commits), Partial: payload.Total > len(payload.Commits),
	}
	push.Default = push.Revision == payload.Project.DefaultBranch
	return Events{Pushes: []Push{push}}, nil
}
