package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"k8s.io/client-go/rest"
)

// ErrRewound says that the API server's data is older than what it has shown before.
var ErrRewound = errors.New("the API server has gone back in time, as after the restore of a backup; everything known of it is void")

// OnRewind has a client look, before a watch goes on from a version, whether the server has got that far, and calls rewound when
// it has not. The server itself would not tell: it would be silent until its versions have caught up, and all that was seen
// would be taken for newer than what there is (Kubernetes, "Restoring an etcd cluster"). It costs a list of one object for each
// watch that is taken up again, which happens every few minutes.
func OnRewind(config *rest.Config, rewound func(error)) {
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &rewinding{next: next, rewound: rewound} })
}

type rewinding struct {
	next    http.RoundTripper
	rewound func(error)
}

// RoundTrip looks before it lets a watch go on.
func (r *rewinding) RoundTrip(req *http.Request) (*http.Response, error) {
	if isWatch(req) {
		from, err := strconv.ParseUint(req.URL.Query().Get("resourceVersion"), 10, 64)
		if err == nil && from > 0 {
			if now, err := r.version(req); err == nil && now < from {
				r.rewound(fmt.Errorf("%w (%s was at version %d, is at %d)", ErrRewound, req.URL.Path, from, now))
			}
		}
	}
	return r.next.RoundTrip(req)
}

// version is the newest version of what a watch is about.
func (r *rewinding) version(watch *http.Request) (uint64, error) {
	req := watch.Clone(watch.Context())
	req.URL.RawQuery = "limit=1"
	req.Header.Set("Accept", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1")
	response, err := r.next.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return 0, errors.New(response.Status)
	}
	var list struct {
		Metadata struct{ ResourceVersion string }
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, readAhead)).Decode(&list); err != nil {
		return 0, err
	}
	return strconv.ParseUint(list.Metadata.ResourceVersion, 10, 64)
}
