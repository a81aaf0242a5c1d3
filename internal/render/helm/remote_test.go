package helm_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
)

var errDown = errors.New("the server does not answer")

// elsewhere has charts by repository, name and version, and files by URL.
type elsewhere struct {
	charts map[string][]byte
	files  map[string]string
	asked  *[]string
}

func (e elsewhere) Chart(_ context.Context, r render.ChartReference) ([]byte, error) {
	key := fmt.Sprint(r.Repository, " ", r.Name, " ", r.Version, " ", r.PassCredentials)
	*e.asked = append(*e.asked, key)
	if archive, ok := e.charts[r.Name]; ok {
		return archive, nil
	}
	return nil, errDown
}

func (e elsewhere) File(_ context.Context, url string, options render.RemoteOptions) ([]byte, error) {
	*e.asked = append(*e.asked, fmt.Sprint(url, " ", options.PassCredentials))
	if content, ok := e.files[url]; ok {
		return []byte(content), nil
	}
	return nil, errDown
}

func TestRemote(t *testing.T) {
	redis := pack(t, files{"Chart.yaml": "apiVersion: v2\nname: redis\nversion: 1.2.3\n", "values.yaml": "v: redis\n", "templates/cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: redis}\ndata: {v: {{ .Values.v }}}\n"})
	wants := func(version string) files {
		return files{"app/Chart.yaml": chartYAML + "dependencies: [{name: redis, version: " + version + ", repository: 'https://u:hunter2@example.com/charts'}]\n", "app/charts/.keep": ""}
	}
	lock := "dependencies: [{name: redis, version: 1.2.3, repository: 'https://u:hunter2@example.com/charts'}]\n"
	for _, tc := range []struct {
		reason  string
		in      files
		options *argov1.ApplicationSourceHelm
		asked   []string
		want    string // the value, or a part of the error
	}{
		{"a chart within a range", wants("1.x"), nil, []string{"https://u:hunter2@example.com/charts redis 1.x false"}, "redis"},
		{"the version of the lock", with(wants("1.x"), files{"app/Chart.lock": lock}), &argov1.ApplicationSourceHelm{PassCredentials: true}, []string{"https://u:hunter2@example.com/charts redis 1.2.3 true"}, "redis"},
		{"another version than asked for", wants("2.x"), nil, []string{"https://u:hunter2@example.com/charts redis 2.x false"}, "https://example.com/charts: the chart there has another name or version"},
		{"a chart that cannot be had", files{"app/Chart.yaml": chartYAML + "dependencies: [{name: gone, version: 1.x, repository: 'oci://example.com'}]\n"}, nil, []string{"oci://example.com gone 1.x false"}, "oci://example.com: the server does not answer"},
		{
			"values", wants("1.x"), &argov1.ApplicationSourceHelm{ValueFiles: []string{"https://u:hunter2@example.com/v.yaml?token=hunter2"}},
			[]string{"https://u:hunter2@example.com/v.yaml?token=hunter2 false", "https://u:hunter2@example.com/charts redis 1.x false"},
			"remote",
		},
		{"values that cannot be had", wants("1.x"), &argov1.ApplicationSourceHelm{ValueFiles: []string{"https://u:hunter2@example.com/x?token=hunter2"}, IgnoreMissingValueFiles: true}, []string{"https://u:hunter2@example.com/x?token=hunter2 false"}, "Error: https://example.com/x: the server does not answer"},
		{"a file as a value", wants("1.x"), &argov1.ApplicationSourceHelm{FileParameters: []argov1.HelmFileParameter{{Name: "redis.v", Path: "http://example.com/text"}}}, []string{"http://example.com/text false", "https://u:hunter2@example.com/charts redis 1.x false"}, "text"},
		{"a scheme that is not allowed", wants("1.x"), &argov1.ApplicationSourceHelm{ValueFiles: []string{"s3://example.com/x"}}, nil, "the URL scheme 's3' is not allowed"},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			var asked []string
			req := request(tc.in, tc.options)
			req.Remote = elsewhere{
				charts: map[string][]byte{"redis": redis}, asked: &asked,
				files: map[string]string{"https://u:hunter2@example.com/v.yaml?token=hunter2": "redis: {v: remote}", "http://example.com/text": "text"},
			}
			objects, err := renderChart(t, req)
			got := fmt.Sprint(err)
			if err == nil {
				got = fmt.Sprint(objects[0].Object["data"])
			}
			if !strings.Contains(got, tc.want) || strings.Contains(got, "hunter2") {
				t.Errorf("%s, want %s", got, tc.want)
			}
			if diff := cmp.Diff(tc.asked, asked); diff != "" {
				t.Errorf("(-want +asked)\n%s", diff)
			}
		})
	}
}

func TestSchemesOfTheSettings(t *testing.T) {
	var asked []string
	req := request(values, &argov1.ApplicationSourceHelm{ValueFiles: []string{"s3://x/y"}})
	req.Remote, req.Settings.ValueFileSchemes = elsewhere{files: map[string]string{"s3://x/y": "file: s3"}, asked: &asked}, []string{"s3"}
	if got := data(t, req)["values"]; !strings.Contains(got, `"file":"s3"`) {
		t.Error(got)
	}
	req.Source.Helm.ValueFiles = []string{"https://x/y"}
	if _, err := renderChart(t, req); err == nil || !strings.Contains(err.Error(), "the URL scheme 'https' is not allowed") {
		t.Error(err)
	}
}
