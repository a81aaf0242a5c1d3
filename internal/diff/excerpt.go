package diff

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	// longestValue is how many bytes of a value, written as text or JSON, a difference shows.
	longestValue = 1024
	// contextBefore is how much of what two long texts share is left before the place where they part.
	contextBefore = 64
)

// excerpt cuts two values that are too long to be shown, around the place where they part.
func excerpt(target, live any) (shownTarget, shownLive any) {
	a, longA := longText(target)
	b, longB := longText(live)
	skip := 0
	if longA && longB {
		skip = parting(a, b)
	}
	if longA {
		target = cut(a, skip)
	}
	if longB {
		live = cut(b, skip)
	}
	return target, live
}

// longText is the text of a value that is too long.
func longText(value any) (string, bool) {
	var text string
	switch value := value.(type) {
	case nil:
		return "", false
	case string:
		text = value
	default:
		text = jsonText(value)
	}
	return text, len(text) > longestValue
}

// parting is where two texts begin to differ, less some context, at the beginning of a character.
func parting(a, b string) int {
	at := 0
	for at < min(len(a), len(b)) && a[at] == b[at] {
		at++
	}
	at = max(at-contextBefore, 0)
	for at > 0 && !utf8.RuneStart(a[at]) {
		at--
	}
	return at
}

// cut leaves the bytes of a text that are shown, and says how many there are.
func cut(text string, skip int) string {
	end := min(skip+longestValue, len(text))
	for end < len(text) && !utf8.RuneStart(text[end]) {
		end--
	}
	shown := strings.ToValidUTF8(text[skip:end], "\uFFFD")
	if skip > 0 {
		shown = "…" + shown
	}
	if end < len(text) {
		shown += "…"
	}
	return fmt.Sprintf("%s (%d bytes)", shown, len(text))
}
