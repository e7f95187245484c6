-- What a reader of the page sees: title and abstract first, no citations, no marks of a task list.

local text_of = pandoc.utils.stringify
local MARKS = { "todo", "done", "tag" }

function Pandoc(doc)
  local head = pandoc.Blocks {}
  local title, first = doc.meta.title, doc.blocks[1]
  if title and not (first and text_of(first) == text_of(title)) then
    head:insert(pandoc.Header(1, title))
  end
  if pandoc.utils.type(doc.meta.abstract) == "Blocks" then
    head:extend(doc.meta.abstract)
  end
  return pandoc.Pandoc(head .. doc.blocks)
end

function Span(span)
  for _, mark in ipairs(MARKS) do
    if span.classes:includes(mark) then
      return {}
    end
  end
end

-- What keeps words on one line is a space to those who read no lines.
function Str(str)
  return pandoc.Str((str.text:gsub("\u{a0}", " ")))
end

-- A citation in brackets leaves no gap; one that is part of its sentence leaves its key.
function Inlines(inlines)
  for i = #inlines, 1, -1 do
    if inlines[i].t == "Cite" then
      local first = inlines[i].citations[1]
      if first.mode == "AuthorInText" then
        inlines[i] = pandoc.Str(first.id)
      else
        inlines:remove(i)
        local before = inlines[i - 1]
        if before and before.t == "Space" then
          inlines:remove(i - 1)
        elseif before and before.t == "Str" then
          before.text = before.text:gsub(" $", "")
        end
      end
    end
  end
  return inlines
end
