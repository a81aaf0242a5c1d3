package replay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// varying are texts that differ from run to run, and what stands for them.
var varying = []struct {
	pattern     *regexp.Regexp
	placeholder string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)`), "<time>"},
	{regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`), "<uid>"},
	{regexp.MustCompile(`at \d{1,2}:\d\d[AP]M`), "at <clock>"},
	{regexp.MustCompile(`-(presync|sync|postsync|syncfail|predelete|postdelete)-1[6-9]\d{8}\b`), "-${1}-<unix>"},
	{regexp.MustCompile(`/(tmp|dev/shm)/[^\s:'",)\]]+`), "<path>"},
	{regexp.MustCompile(`Manifest generation error \(cached\): `), ""},
	{regexp.MustCompile(`\b0x[0-9a-f]{6,}\b`), "<ptr>"},
}

// normalise turns a record into the JSON document that is kept: without what differs from run to run.
func (s *session) normalise(rec *record) ([]byte, error) {
	data, err := json.Marshal(rec)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	var document any
	if err := json.Unmarshal(data, &document); err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	replacements := s.replacements()
	document = rewritten(document, func(text string) string {
		for _, r := range replacements {
			text = strings.ReplaceAll(text, r[0], r[1])
		}
		for _, v := range varying {
			text = v.pattern.ReplaceAllString(text, v.placeholder)
		}
		return text
	})
	var kept bytes.Buffer
	encoder := json.NewEncoder(&kept)
	encoder.SetEscapeHTML(false) // Placeholders stay readable.
	encoder.SetIndent("", " ")
	if err := encoder.Encode(document); err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	return kept.Bytes(), nil
}

// replacements are the names of this run and what stands for them, in the order in which they are replaced.
func (s *session) replacements() [][2]string {
	var pairs [][2]string
	for i, sha := range s.commits {
		pairs = append(pairs, [2]string{sha, fmt.Sprintf("<commit:%d>", i+1)})
	}
	for i, sha := range s.commits {
		for _, length := range []int{12, 8, 7} {
			pairs = append(pairs, [2]string{sha[:length], fmt.Sprintf("<commit%d:%d>", length, i+1)})
		}
	}
	server := s.options.Git.URL()
	pairs = append(pairs, [2]string{s.git.URL(), "%REPO%"}, [2]string{server, "%GIT%"})
	if address, err := url.Parse(server); err == nil {
		pairs = append(pairs, [2]string{address.Host, "%GITHOST%"})
	}
	return append(pairs, [2]string{s.cluster.host, "%APISERVER%"}, [2]string{s.cluster.version, "%KUBEVERSION%"})
}

// rewritten is a document with every string, also the keys, rewritten.
func rewritten(value any, rewrite func(string) string) any {
	switch v := value.(type) {
	case string:
		return rewrite(v)
	case []any:
		items := make([]any, len(v))
		for i := range v {
			items[i] = rewritten(v[i], rewrite)
		}
		return items
	case map[string]any:
		fields := make(map[string]any, len(v))
		for key, item := range v {
			fields[rewrite(key)] = rewritten(item, rewrite)
		}
		return fields
	default:
		return value
	}
}
