package kustomize

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/pkg/util"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/render"
)

// edit puts the options of a source into the kustomization that the view shows, in the order of contract 1.2.
func edit(v *view, req render.Request) error {
	options := req.Source.Kustomize
	if options == nil {
		return nil
	}
	e := &editor{view: v, dir: render.Root(req.Source), options: options, environment: req.Environment}
	for _, step := range []func() error{
		e.namePrefix, e.nameSuffix, e.images, e.replicas, e.labels, e.annotations, e.namespace, e.patches, e.components,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	if e.kustomization == nil {
		return nil
	}
	if old := commonLabels(e.kustomization); len(*old) > 0 { // the same, but the library does not warn on standard error that it is old
		e.kustomization.Labels = append(e.kustomization.Labels, types.Label{Pairs: *old, IncludeSelectors: true})
		*old = nil
	}
	data, err := yaml.Marshal(e.kustomization)
	if err != nil {
		return fmt.Errorf("%s: %w", e.file, err)
	}
	v.edited[e.file] = data
	return nil
}

// editor edits one kustomization, which it reads when the first edit needs it.
type editor struct {
	view        *view
	dir         string
	options     *argov1.ApplicationSourceKustomize
	environment render.Environment

	file          string // without links
	kustomization *types.Kustomization
}

// change makes one edit. An error is that of the command that makes it.
func (e *editor) change(command string, change func(k *types.Kustomization) error) error {
	err := e.load()
	if err == nil {
		err = change(e.kustomization)
	}
	if err != nil {
		return commandError("edit "+command, err)
	}
	return nil
}

func (e *editor) load() error {
	if e.kustomization != nil {
		return nil
	}
	var found []string
	for _, name := range konfig.RecognizedKustomizationFileNames() {
		if e.view.Exists(absolute(path.Join(e.dir, name))) {
			found = append(found, name)
		}
	}
	switch len(found) {
	case 0:
		return fmt.Errorf("Missing kustomization file '%s'.", konfig.DefaultKustomizationFileName()) //nolint:revive,staticcheck // the text of the command
	case 1:
	default:
		return fmt.Errorf("Found multiple kustomization file: %v", found) //nolint:staticcheck // the text of the command
	}
	dir, file, err := e.view.CleanedAbs(absolute(path.Join(e.dir, found[0])))
	if err != nil {
		return err
	}
	data, err := e.view.ReadFile(dir.Join(file))
	if err != nil {
		return err
	}
	var k types.Kustomization
	if err := k.Unmarshal(data); err != nil {
		return err
	}
	k.FixKustomization()
	e.kustomization = &k
	e.file, _ = relative(dir.Join(file))
	return nil
}

func (e *editor) namePrefix() error {
	if e.options.NamePrefix == "" {
		return nil
	}
	return e.change("set nameprefix -- "+e.options.NamePrefix, func(k *types.Kustomization) error {
		k.NamePrefix = e.options.NamePrefix
		return nil
	})
}

func (e *editor) nameSuffix() error {
	if e.options.NameSuffix == "" {
		return nil
	}
	return e.change("set namesuffix -- "+e.options.NameSuffix, func(k *types.Kustomization) error {
		k.NameSuffix = e.options.NameSuffix
		return nil
	})
}

func (e *editor) namespace() error {
	if e.options.Namespace == "" {
		return nil
	}
	return e.change("set namespace -- "+e.options.Namespace, func(k *types.Kustomization) error {
		k.Namespace = e.options.Namespace
		return nil
	})
}

var errImage = errors.New("invalid format of image, write [<image>=]<newimage>[:<newtag>][@<digest>] with at least two of the parts")

// images sets images by their names, and sorts them.
func (e *editor) images() error {
	if len(e.options.Images) == 0 {
		return nil
	}
	var args []string
	for _, image := range e.options.Images {
		args = append(args, e.environment.Substitute(string(image)))
	}
	return e.change("set image "+strings.Join(args, " "), func(k *types.Kustomization) error {
		set := map[string]types.Image{}
		for _, image := range k.Images {
			set[image.Name] = image
		}
		for _, arg := range args {
			image, err := parseImage(arg)
			if err != nil {
				return err
			}
			old := set[image.Name]
			set[image.Name] = types.Image{
				Name: image.Name, NewName: keep(image.NewName, old.NewName), NewTag: keep(image.NewTag, old.NewTag), Digest: keep(image.Digest, old.Digest),
			}
		}
		k.Images = sorted(set)
		return nil
	})
}

// keep gives a value, or what was there before for an asterisk.
func keep(value, before string) string {
	if value == "*" {
		return before
	}
	return value
}

func parseImage(arg string) (types.Image, error) {
	key, value, renamed := strings.Cut(arg, "=")
	if !renamed {
		key, value = "", arg
	}
	name, tag, digest := util.SplitImageName(value)
	switch {
	case name == arg:
		return types.Image{}, errImage
	case key == "":
		return types.Image{Name: name, NewTag: tag, Digest: digest}, nil
	default:
		return types.Image{Name: key, NewName: name, NewTag: tag, Digest: digest}, nil
	}
}

var errReplicas = errors.New("invalid format of replica, use the following format: <name>=<count>")

// replicas sets counts by the names of objects, and sorts them.
func (e *editor) replicas() error {
	if len(e.options.Replicas) == 0 {
		return nil
	}
	var args []string
	set := map[string]types.Replica{}
	for _, replica := range e.options.Replicas {
		count, err := replicaCount(replica.Count)
		if err != nil {
			return err
		}
		args = append(args, fmt.Sprintf("%s=%d", replica.Name, count))
		set[replica.Name] = types.Replica{Name: replica.Name, Count: count}
	}
	return e.change("set replicas "+strings.Join(args, " "), func(k *types.Kustomization) error {
		for name := range set {
			if strings.Contains(name, "=") {
				return errReplicas
			}
		}
		for _, replica := range k.Replicas {
			if _, again := set[replica.Name]; !again {
				set[replica.Name] = replica
			}
		}
		k.Replicas = sorted(set)
		return nil
	})
}

func replicaCount(count intstr.IntOrString) (int64, error) {
	if count.Type == intstr.Int {
		return int64(count.IntVal), nil
	}
	n, err := strconv.ParseInt(count.StrVal, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("expected integer value for count. Received: %s", count.StrVal) // the text of the contract's tables
	}
	return n, nil
}

// sorted gives the values of a map in the order of its keys.
func sorted[V any](set map[string]V) []V {
	var list []V
	for _, key := range slices.Sorted(maps.Keys(set)) {
		list = append(list, set[key])
	}
	return list
}

// patches come after those of the kustomization.
func (e *editor) patches() error {
	if len(e.options.Patches) == 0 {
		return nil
	}
	return e.change("add patch", func(k *types.Kustomization) error {
		data, err := json.Marshal(e.options.Patches)
		if err != nil {
			return err
		}
		var patches []types.Patch
		if err := json.Unmarshal(data, &patches); err != nil {
			return err
		}
		k.Patches = append(k.Patches, patches...)
		return nil
	})
}
