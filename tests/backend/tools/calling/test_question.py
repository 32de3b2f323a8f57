"""Which text of a chat is the question."""

from backend.tools.calling.question import read_question


def chat(*texts: str) -> list[dict[str, object]]:
    return [
        {"role": "user" if number % 2 == 0 else "assistant", "content": text}
        for number, text in enumerate(texts)
    ]


def test_last_message_of_the_user_is_the_question() -> None:
    assert read_question(chat("weather in Oslo?", "Rain.", "Tell me a joke")).text == (
        "Tell me a joke"
    )


def test_short_follow_up_has_the_question_before_it() -> None:
    question = read_question(chat("weather in Oslo?", "Rain.", "And in Rome?"))
    assert question.text == "weather in Oslo?\nAnd in Rome?"


def test_chat_that_ends_with_a_result_is_answered() -> None:
    assert read_question([*chat("weather?"), {"role": "tool", "content": "Rain"}]).has_results


def test_chat_without_a_user_has_no_question() -> None:
    assert read_question([]).text == ""
