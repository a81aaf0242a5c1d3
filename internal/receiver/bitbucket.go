package receiver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// bitbucket is Bitbucket Cloud. Its events tell neither files nor the default branch; its API does.
var bitbucket = provider{
	name:   "bitbucket",
	claims: func(header http.Header, _ Secrets) bool { return header.Get(bitbucketUUID) != "" },
	verify: equal(bitbucketUUID, KeyBitbucketUUID),
	read: func(d delivery) (Events, error) {
		if d.header.Get(bitbucketEvent) != "repo:push" {
			return Events{}, nil
		}
		return readBitbucket(d.body)
	},
}

const bitbucketUUID = "X-Hook-UUID"

// bitbucketRef is a branch or tag, as it was or as it is.
type bitbucketRef struct {
	Name   string `json:"name"`
	Target struct {
		Hash string `json:"hash"`
	} `json:"target"`
}

func readBitbucket(body []byte) (Events, error) {
	var payload struct {
		Push struct {
			Changes []struct {
				New *bitbucketRef `json:"new"` // nothing when it was deleted
				Old *bitbucketRef `json:"old"` // nothing when it was made
			} `json:"changes"`
		} `json:"push"`

		Repository struct {
			FullName string `json:"full_name"`
			Links    struct {
				HTML struct {
					Href string `json:"href"`
				} `json:"html"`
			} `json:"links"`
		} `json:"repository"`
	}
	if err := json.Unmarshal(body, &payload); err != nil {
		return Events{}, err
	}
	var events Events
	for _, change := range payload.Push.Changes {
		push := Push{URLs: []string{payload.Repository.Links.HTML.Href}, Default: true, bitbucket: payload.Repository.FullName}
		if change.Old != nil {
			push.Revision, push.Before = change.Old.Name, change.Old.Target.Hash
		}
		if change.New != nil {
			push.Revision, push.After = change.New.Name, change.New.Target.Hash
		}
		events.Pushes = append(events.Pushes, push)
	}
	return events, nil
}

// bitbucketAPI is where Bitbucket Cloud answers. It is written down here because a payload could name any other place, and
// would be sent the credentials of the repository.
const bitbucketAPI = "https://api.bitbucket.org/2.0/repositories/"

// Bounds of what is asked of the API for one push.
const (
	bitbucketTimeout = 10 * time.Second
	bitbucketPages   = 20 // of 500 files; a push that changes more may change anything
	bitbucketBytes   = 4 << 20
)

var (
	bitbucketName   = regexp.MustCompile(`^[\w.-]+/[\w.-]+$`)
	bitbucketCommit = regexp.MustCompile(`^\w+$`)
)

// Login is what the API of a server is asked with.
type Login struct{ Username, Password, BearerToken string }

// askBitbucket completes a push with what the API knows: the default branch, and the files. On an error both stay unknown.
func askBitbucket(ctx context.Context, client *http.Client, login Login, push Push) (Push, error) {
	if !bitbucketName.MatchString(push.bitbucket) || strings.Contains(push.bitbucket, "..") {
		return push, errors.New("the name of the repository is none of Bitbucket's")
	}
	ctx, cancel := context.WithTimeout(ctx, bitbucketTimeout)
	defer cancel()
	var repository struct {
		MainBranch struct {
			Name string `json:"name"`
		} `json:"mainbranch"`
	}
	at := bitbucketAPI + push.bitbucket
	if err := getJSON(ctx, client, login, at, &repository); err != nil {
		return push, err
	}
	asked := push
	asked.Default = push.Revision == repository.MainBranch.Name
	if !bitbucketCommit.MatchString(push.Before) || !bitbucketCommit.MatchString(push.After) {
		return asked, nil // a branch that was made or deleted: any file may be another one
	}
	var err error
	asked.Files, err = bitbucketFiles(ctx, client, login, at+"/diffstat/"+push.Before+".."+push.After)
	return asked, err
}

// bitbucketFiles lists the files that differ. It is nothing if there are too many.
func bitbucketFiles(ctx context.Context, client *http.Client, login Login, at string) ([]string, error) {
	var files []string
	for range bitbucketPages {
		var page struct {
			Values []struct {
				Old, New *struct {
					Path string `json:"path"`
				}
			} `json:"values"`
			Next string `json:"next"`
		}
		if err := getJSON(ctx, client, login, at, &page); err != nil {
			return nil, err
		}
		for _, value := range page.Values {
			if value.New != nil {
				files = append(files, value.New.Path)
			}
			if value.Old != nil && (value.New == nil || value.New.Path != value.Old.Path) {
				files = append(files, value.Old.Path)
			}
		}
		if page.Next == "" {
			return files, nil
		}
		if !strings.HasPrefix(page.Next, bitbucketAPI) {
			return nil, errors.New("the API of Bitbucket leads to another place")
		}
		at = page.Next
	}
	return nil, nil
}

// getJSON reads an answer of the API. Its errors do not quote it.
func getJSON(ctx context.Context, client *http.Client, login Login, at string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at, http.NoBody)
	if err != nil {
		return err
	}
	switch {
	case login.BearerToken != "":
		request.Header.Set("Authorization", "Bearer "+login.BearerToken)
	case login.Username != "" || login.Password != "":
		request.SetBasicAuth(login.Username, login.Password)
	}
	response, err := client.Do(request)
	if err != nil {
		if inURL, ok := errors.AsType[*url.Error](err); ok {
			err = inURL.Err
		}
		return fmt.Errorf("asking the API of Bitbucket: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the API of Bitbucket answers with status %d", response.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, bitbucketBytes))
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		return errors.New("the API of Bitbucket gives an answer that cannot be read")
	}
	return nil
}
