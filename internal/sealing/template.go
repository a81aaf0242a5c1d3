package sealing

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"

	corev1 "k8s.io/api/core/v1"
)

// render evaluates templates over the decrypted values. Values of the template stand among those as they are written, where
// no sealed item has their name (contract A1, the rules of 0.40).
func render(values map[string][]byte, templates map[string]*string) (map[string][]byte, error) {
	if len(templates) == 0 {
		return nil, nil //nolint:nilnil // no templates give no values
	}
	dot := make(map[string]string, len(values)+len(templates))
	for key, text := range templates {
		if text != nil {
			dot[key] = *text
		}
	}
	for key, value := range values {
		dot[key] = string(value)
	}
	budget := &budget{left: maxSteps}
	functions := budget.functions()
	functions[stepFunction] = func() (string, error) { return "", budget.take(1) }
	rendered := map[string][]byte{}
	failures := failures{}
	for _, key := range slices.Sorted(maps.Keys(templates)) {
		if templates[key] == nil {
			continue
		}
		value, err := execute(key, *templates[key], functions, dot)
		if err != nil {
			failures.add(key, err)
			continue
		}
		rendered[key] = value
	}
	return rendered, failures.err()
}

func execute(key, text string, functions template.FuncMap, dot map[string]string) ([]byte, error) {
	parsed, err := template.New(key).Funcs(functions).Parse(text)
	if err != nil {
		return nil, err // it speaks of the template, which is no secret
	}
	for _, part := range parsed.Templates() {
		if part.Tree != nil {
			countIterations(part.Root, part.Tree)
		}
	}
	out := &limited{}
	if err := parsed.Execute(out, dot); err != nil {
		return nil, withoutValues(err)
	}
	return out.Bytes(), nil
}

// withoutValues keeps the place where a template failed, and drops what its functions say: that may quote a decrypted value.
func withoutValues(err error) error {
	if spent, ok := errors.AsType[*spentError](err); ok {
		return spent
	}
	failed, ok := errors.AsType[template.ExecError](err)
	if !ok {
		return errors.New("the template cannot be evaluated")
	}
	where, _, found := strings.Cut(failed.Error(), ">: ")
	if !found {
		return fmt.Errorf("template: %s: cannot be evaluated", failed.Name)
	}
	return errors.New(where + ">: cannot be evaluated (the reason may quote a value and is not shown)")
}

// limited is an output that ends at the size of the largest Secret.
type limited struct{ bytes.Buffer }

// Write takes in what fits.
func (l *limited) Write(data []byte) (int, error) {
	if l.Len()+len(data) > corev1.MaxSecretSize {
		return 0, spent("the template makes more than %d bytes, which no Secret can hold", corev1.MaxSecretSize)
	}
	return l.Buffer.Write(data)
}

// countIterations has each body of a loop, and each template that may call itself, take a step of the budget.
func countIterations(node parse.Node, tree *parse.Tree) {
	list, ok := node.(*parse.ListNode)
	if !ok || list == nil {
		return
	}
	for _, child := range list.Nodes {
		for _, body := range bodies(child) {
			countIterations(body, tree)
		}
	}
	list.Nodes = append([]parse.Node{step(list.Pos, tree)}, list.Nodes...)
}

func bodies(node parse.Node) []*parse.ListNode {
	switch n := node.(type) {
	case *parse.RangeNode:
		return []*parse.ListNode{n.List, n.ElseList}
	case *parse.IfNode:
		return []*parse.ListNode{n.List, n.ElseList}
	case *parse.WithNode:
		return []*parse.ListNode{n.List, n.ElseList}
	}
	return nil
}

// step is a call of the function that takes a step and prints nothing.
func step(pos parse.Pos, tree *parse.Tree) parse.Node {
	call := parse.NewIdentifier(stepFunction).SetTree(tree).SetPos(pos)
	command := &parse.CommandNode{NodeType: parse.NodeCommand, Pos: pos, Args: []parse.Node{call}}
	return &parse.ActionNode{
		NodeType: parse.NodeAction, Pos: pos,
		Pipe: &parse.PipeNode{NodeType: parse.NodePipe, Pos: pos, Cmds: []*parse.CommandNode{command}},
	}
}
