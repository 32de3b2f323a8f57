/** Keeps a failure of one message to that message: its text is shown as it was written. */
import { Component, type ReactNode } from "react";

type Props = { text: string; children: ReactNode };

export class ErrorBoundaryText extends Component<Props, { failedText: string | undefined }> {
  override state = { failedText: undefined };

  static getDerivedStateFromError(): { failedText: string } {
    return { failedText: "" };
  }

  override render(): ReactNode {
    if (this.state.failedText === undefined) return this.props.children;
    return (
      <pre className="whitespace-pre-wrap [overflow-wrap:anywhere]" dir="auto">
        {this.props.text}
      </pre>
    );
  }
}
