"""Short templates, one feature each. Every one is rendered with the conversation of generate.py named "two"."""

EXPRESSIONS = r"""
1 + 2 * 3 - 4
7 // 2 ~ ',' ~ -7 // 2 ~ ',' ~ 7 % 3 ~ ',' ~ -7 % 3 ~ ',' ~ 7 % -3
2 ** 10
7 / 2
1e3 + 0.5
1.0
1e16
1e-5
123456789.125
0.1 + 0.2
-5 | abs
(1, 2)
(1,)
()
[1, 'a', none, true, 1.5, [2]]
{'a': 1, "b'": 'c"d', 'e': "f'g"}
{'k': [1, {'x': none}]}
'it\'s'
['it\'s', "say \"hi\"", 'tab\there', 'nl\nx', 'back\\slash', '\x7f\u200b\xa0é中😀']
"\x41\u00e9\U0001F600\101\q"
'a' 'b' "c"
1_000
true and false or none
not true
not not 1
1 and 2
0 or 'x'
'' or none or 'last'
1 < 2 < 3
1 < 3 < 2
1 == 1.0
true == 1
'a' < 'b'
'a' != 'b'
[1, 2] < [1, 3]
[1, 2] == [1, 2]
{'a': 1} == {'a': 1}
none == none
missing == other_missing
'b' in 'abc'
'z' not in 'abc'
2 in [1, 2]
'a' in {'a': 1}
'x' in missing
'yes' if 1 > 2 else 'no'
'yes' if false
1 if false else 2 if false else 3
'a' ~ 1 ~ none ~ true ~ 1.5
'ab' * 3
[1] * 3
[1] + [2]
'abc'[0]
'abc'[-1]
'abc'[9]
'abcdef'[1:3]
'abcdef'[:-2]
'abcdef'[::2]
'abcdef'[::-1]
'abcdef'[4:1:-1]
'abcdef'[-100:100]
'aé中😀z'[1:4]
'aé中😀z'[::-1]
'aé中😀z' | length
[1, 2, 3, 4][1:]
[1, 2, 3, 4][-2:]
[1, 2, 3, 4][::-2]
[1, 2, 3][5:]
messages[0].role
messages[0]['role']
messages.0.role
messages[-1]['content']
messages[99]
messages[0].nothing
messages[0].nothing is defined
missing
missing is defined
missing is undefined
missing is none
none is none
'a' is string
1 is string
1 is number
1.5 is number
1.5 is float
1 is integer
true is integer
true is boolean
true is number
messages is sequence
messages is iterable
'a' is iterable
1 is iterable
messages[0] is mapping
messages is mapping
3 is odd
3 is even
9 is divisibleby 3
9 is divisibleby(2)
1 is eq 1
1 is equalto 2
1 is ne 2
1 is lt 2
2 is ge 2
1 is in [1, 2]
1 is not in [1, 2]
'a' is not string
not 'a' is string
'ABC' is upper
'abc' is lower
'123' is upper
true is true
1 is true
false is false
true is sameas true
1 is sameas true
range is callable
1 + 2 is number
-1 is number
'  a b  ' | trim
'xxaxx' | trim('x')
'  a b  '.strip() ~ '|'
'  a b  '.lstrip() ~ '|'
'  a b  '.rstrip() ~ '|'
'xyaxy'.strip('xy')
'\u3000\u00a0a\x1c\n'.strip()
'abc'.startswith('ab')
'abc'.startswith(('x', 'a'))
'abc'.endswith('bc')
'a,b,,c'.split(',')
'a,b,,c'.split(',', 1)
' a  b\tc\n'.split()
' a  b c'.split(none, 1)
'a,b,c'.rsplit(',', 1)
'a\nb\r\nc\x0bd\u2028e\n'.splitlines()
''.split(',')
''.split()
'abcabc'.replace('b', 'X')
'abcabc'.replace('b', 'X', 1)
'abcabc'.find('c')
'abcabc'.rfind('c')
'éabc'.find('c')
'abc'.find('z')
'abcabc'.count('bc')
'-'.join(['a', 'b'])
'abc'.upper() ~ 'ABC'.lower() ~ 'hello world'.title() ~ 'hELLO'.capitalize()
'prefix-x'.removeprefix('prefix-')
'x.txt'.removesuffix('.txt')
'abc'.isalpha() ~ '12'.isdigit() ~ ''.isdigit() ~ ' '.isspace()
'ÀÉ ж'.lower() ~ 'àé Ж'.upper()
'abc' | upper
'ABC' | lower
'hELLO wORLD' | capitalize
"hELLO wORLD-foo (bar) it's" | title
[3, 1, 2] | sort
['b', 'A', 'c'] | sort
['b', 'A', 'c'] | sort(case_sensitive=true)
[3, 1, 2] | sort(reverse=true)
messages | sort(attribute='content') | map(attribute='content') | list
['b', 'a', 'B', 'a'] | unique | list
{'b': 1, 'a': 2} | dictsort
{'b': 1, 'a': 2} | dictsort(by='value')
[1, 2, 3] | first
[1, 2, 3] | last
[] | first
'abc' | first
'abc' | last
[1, 2, 3] | length
messages | count
{'a': 1} | length
missing | length
'abc' | list
{'a': 1, 'b': 2} | list
[1, 2, 3] | reverse | list
'aé中' | reverse
[1, 2, 3] | join(', ')
[1, none, 'x'] | join
messages | join('/', attribute='role')
missing | default('d')
none | default('d')
none | default('d', true)
'' | d('e', boolean=true)
0 | default(5)
missing | default
'12' | int + 1
'x' | int
'x' | int(7)
' 12 ' | int
3.9 | int
'3.9' | int
'1.5' | float
'x' | float
1 | string + '2'
none | string
'a-b-a' | replace('a', 'c')
'a-b-a' | replace('a', 'c', 1)
'one\ntwo\n\nthree\n' | indent
'one\ntwo' | indent(2, true)
'one\n\ntwo' | indent(2, blank=true)
{'a': 1, 'b': 2} | items | list
{'a': 1}.items() | list
{'a': 1}.keys() | list
{'a': 1}.values() | list
{'a': 1}.get('a') ~ {'a': 1}.get('b') ~ {'a': 1}.get('b', 3)
messages | map(attribute='role') | list
messages | map(attribute='zip', default='-') | list
['a ', ' b'] | map('trim') | list
['a', 'b'] | map('replace', 'a', 'x') | list
[1, 2, 3, 4] | select('odd') | list
[1, 2, 3, 4] | reject('odd') | list
[1, 0, '', 'a'] | select | list
messages | selectattr('role', 'equalto', 'user') | list | length
messages | rejectattr('role', 'equalto', 'user') | map(attribute='content') | list
messages | selectattr('content') | list | length
[3, 1, 2] | min ~ [3, 1, 2] | max
'x' | safe
'a"b\\c\n\t\x01é😀\x7f</script>' | tojson
{'a': [1, 2.5, none, true, {}], 'b': []} | tojson
{'a': [1, {'c': []}], 'b': {}} | tojson(indent=2)
[[], {}] | tojson(indent=4)
{'b': 1, 'a': 2} | tojson(sort_keys=true)
messages | tojson
messages | tojson(indent=2)
1.0 | tojson
range(5) | list
range(2, 5) | list
range(10, 0, -3) | list
dict(a=1, b='x')
namespace(a=1).a
namespace({'b': 2}, a=1).b
strftime_now('%Y-%m-%d %H:%M:%S')
strftime_now('%d %B %Y, %A %j %%')
tools is none
documents is none
custom_tools is defined
bos_token + eos_token
messages[0].content is string and messages[0].content | length > 2
[1, 2, 3,]
{'a': 1,}
( 'a' if true else 'b' ) + 'c'
'%s' ~ '{}'
[1,2][0] + {'x': 5}['x']
{'x': {'y': [1, 2]}}.x.y[1]
(messages | first).role
messages | map(attribute='content') | join(' ') | upper | replace('O', '0')
'a' in messages[0].content or 'e' in messages[0].content
1 if messages else 2
[] == []
'abc'[1:][0]
-messages | length
- 3 + 5
2 - -2
""".strip("\n").split("\n")

STATEMENTS = [
    "", "plain text\n", "plain text\n\n", "a\r\nb\rc\n", "{# comment #}x", "a {#- c -#} b", "a\n{# c #}\nb",
    "{% if true %}\nyes\n{% endif %}\n", "  {% if true %}\n  yes\n  {% endif %}\nend", "  {%+ if true %}\n  yes\n  {% endif +%}\nend",
    "a  {%- if true -%}  b  {%- endif -%}  c", "a \n {{- 'x' -}} \n b", "{{ 'a' }}\n{{ 'b' }}\n", "  {{ 'a' }}  \n  b",
    "x {% if true %} y {% endif %} z", "\t{% set a = 1 %}\n{{ a }}", "{% if false %}a{% elif 0 %}b{% elif 'x' %}c{% else %}d{% endif %}",
    "{% if missing %}a{% else %}b{% endif %}", "{% if messages|length > 1 and messages[0].role == 'user' %}ok{% endif %}",
    "{% for i in [1, 2, 3] %}{{ i }}{% if not loop.last %},{% endif %}{% endfor %}",
    "{% for i in [] %}x{% else %}empty{% endfor %}", "{% for i in missing %}x{% else %}empty{% endfor %}",
    "{% for c in 'aé😀' %}[{{ c }}]{% endfor %}", "{% for k in {'a': 1, 'b': 2} %}{{ k }}{% endfor %}",
    "{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k, v in {'a': 1}|items %}{{ k }}={{ v }};{% endfor %}",
    "{% for (a, b) in [[1, 2], [3, 4]] %}{{ a + b }} {% endfor %}", "{% for i in range(6) if i is odd %}{{ loop.index }}:{{ i }} {% endfor %}",
    "{% for i in 'abc' %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }} {% endfor %}",
    "{% for i in [1, 2, 3] %}{{ loop.previtem if loop.previtem is defined else '-' }}{{ loop.nextitem | default('-') }} {% endfor %}",
    "{% for i in [1, 2] %}{% for j in [3, 4] %}{{ loop.index }}{{ i }}{{ j }} {% endfor %}{{ loop.index }};{% endfor %}",
    "{% for i in range(10) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %}",
    "{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = x + i %}{{ x }} {% endfor %}{{ x }}",
    "{% set x = 1 %}{% if true %}{% set x = 2 %}{% endif %}{{ x }}", "{% set ns = namespace(x=1) %}{% for i in [1, 2] %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set a, b = [3, 4] %}{{ b }}{{ a }}", "{% set t = 1, 2 %}{{ t }}",
    "{% set x %}  block {{ 1 + 1 }}\n{% endset %}[{{ x }}]", "{% set x | upper | trim %} abc {% endset %}[{{ x }}]",
    "{% filter upper %}abc {{ 'def' }}{% endfilter %}", "{% filter trim | replace('a', 'b') %}  aaa  {% endfilter %}!",
    "{% raw %}{{ x }} {% if %} {# c #}{% endraw %}", "a {%- raw -%}  {{ x }}  {%- endraw -%} b", "{% raw %}\nx\n{% endraw %}\ny",
    "{% macro f(a, b='x', c=none) %}[{{ a }}{{ b }}{{ c }}]{% endmacro %}{{ f(1) }}{{ f(1, 2) }}{{ f(1, c=3) }}{{ f(b=1, a=2) }}{{ f() }}",
    "{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}",
    "{% set g = 'global' %}{% macro f() %}{{ g }}{% set g = 'local' %}{{ g }}{% endmacro %}{{ f() }}{{ g }}",
    "{% macro f() %}  x  {% endmacro %}{{ f() | trim | upper }}{{ f() is string }}",
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}", "{% for m in messages[1:] %}{{ m['content'] }}{% endfor %}",
    "{{ raise_exception('no ' ~ 'way') }}", "{{ raise_exception(messages[0].content) }}", "{% if messages[0].role != 'x' %}{{ raise_exception('bad role') }}{% endif %}",
    "{{ 1 + 'a' }}", "{{ missing.attribute }}", "{{ missing + 'a' }}", "{{ missing() }}", "{{ 'a'() }}", "{{ [1] < 'a' }}", "{{ 1 in 2 }}", "{{ 1 / 0 }}",
    "{% for i in 5 %}{% endfor %}", "{% set a, b = [1] %}", "{{ 5 | length }}", "{{ namespace | tojson }}",
    "{% set x = 5 %}{% set x.y = 1 %}", "{{ 'a' ~ missing ~ 'b' }}", "{{ messages[0].missing.more }}", "{{ 'abc'[::0] }}", "{{ -'a' }}",
    "{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}", "{% macro f(a) %}{% endmacro %}{{ f(z=2) }}",
    "{%- for message in messages -%}\n    {{ '<' ~ message.role ~ '>' }}\n{%- endfor -%}", "{{ {'a': {'b': 1}}.a.b }}}}", "{ { x } } {", "{{ '}}' }}{{ '%}' }}{{ \"#}\" }}",
    "a{% if true %}\n\n b{% endif %}\n\nc", "{% if true -%}\n  x\n{%- endif %}\n  y", "{{ 'x' }}{# trailing #}\n\n", "\n\n{% if true %}\nx{% endif %}", "   \n  {% if true %}x{% endif %}",
    "{% set x = {'role': 'user'} %}{{ x.role }}{{ x['role'] }}{{ x.get('role') }}", "{% for i in [1,2,3] -%}\n {{ i }}\n{%- endfor %}",
    "{% set ns = namespace(found=false) %}{% for m in messages %}{% if m.role == 'user' and not ns.found %}{% set ns.found = true %}{{ m.content }}{% endif %}{% endfor %}",
    "{{ {'a': 1,\n 'b': [1,\n2]} }}", "{{ 'multi\nline' }}", "{{ 'a' if messages[0]['role'] == 'user' and (messages | length) == 2 else 'b' }}",
]

SNIPPETS = ["{{ " + e + " }}" for e in EXPRESSIONS] + STATEMENTS
