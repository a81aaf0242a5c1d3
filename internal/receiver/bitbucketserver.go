package receiver

import (
	"encoding/json"
	"net/http"
)

// bitbucketServer tells neither files nor which branch is the default one.
var bitbucketServer = provider{
	name:   "bitbucketserver",
	claims: func(header http.Header, _ Secrets) bool { return header.Get(bitbucketEvent) != "" },
	verify: signed("X-Hub-Signature", KeyBitbucketServer),
	read: func(d delivery) (Events, error) {
		if d.header.Get(bitbucketEvent) != "repo:refs_changed" {
			return Events{}, nil
		}
		return readBitbucketServer(d.body)
	},
}

// bitbucketEvent is the header of both kinds of Bitbucket.
const bitbucketEvent = "X-Event-Key"

func readBitbucketServer(body []byte) (Events, error) {
	var payload struct {
		Changes []struct {
			Ref struct {
				ID string `json:"id"`
			} `json:"ref"`
			FromHash string `json:"fromHash"`
			ToHash   string `json:"toHash"`
		} `json:"changes"`

		Repository struct {
			Links struct {
				Clone json.RawMessage `json:"clone"`
			} `json:"links"`
		} `json:"repository"`
	}
	if err := json.Unmarshal(body, &payload); err != nil {
		return Events{}, err
	}
	urls := cloneURLs(payload.Repository.Links.Clone)
	var events Events
	for _, change := range payload.Changes {
		events.Pushes = append(events.Pushes, Push{
			URLs: urls, Revision: parseRef(change.Ref.ID), Default: true, Before: change.FromHash, After: change.ToHash,
		})
	}
	return events, nil
}

// cloneURLs are the addresses for cloning by HTTP and SSH. What has another form than it should is left out.
func cloneURLs(list json.RawMessage) (urls []string) {
	var links []json.RawMessage
	if json.Unmarshal(list, &links) != nil {
		return nil
	}
	for _, text := range links {
		var link struct {
			Name string `json:"name"`
			Href string `json:"href"`
		}
		if json.Unmarshal(text, &link) == nil && (link.Name == "http" || link.Name == "ssh") {
			urls = append(urls, link.Href)
		}
	}
	return urls
}
